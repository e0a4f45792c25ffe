import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../src/config/load.ts'
import { type Wired, wire } from '../src/wire.ts'
import { TestClock } from './support/clock.ts'
import { accounts, route, Site } from './support/site.ts'
import { inFile } from './support/store.ts'
import { commitsOf } from './support/wal.ts'

let site: Site
beforeEach(async () => {
  site = await Site.start({ store: inFile })
})
afterEach(() => site.stop())

describe('the request', () => {
  const emails = {
    known: accounts.alice.email,
    unknown: 'nobody@site.example',
    disabled: accounts.mallory.email,
  }
  let wired: Wired

  beforeEach(async () => {
    // Without its courier, so that the request's own work is all there is.
    await site.server?.close()
    wired = await wire(loadConfig(site.config, { env: {} }), { clock: new TestClock() })
  })
  afterEach(() => wired.close())

  it.each(Object.entries(emails))(
    'for a %s address is one transaction of the store',
    async (_, email) => {
      for (const _again of [1, 2]) {
        const before = commitsOf(site.storeFile)
        const request = {
          method: 'POST',
          path: route,
          headers: { 'sec-fetch-site': 'same-origin' },
          parameters: {},
          data: { email },
        }
        const response = await wired.forgot().html({ format: 'html', request })
        expect(response.statusCode).toBe(303)
        expect(commitsOf(site.storeFile) - before).toBe(1)
      }
    },
  )

  it('touches the user table for nobody', async () => {
    site.database.exec('drop table members')
    for (const email of Object.values(emails)) {
      const request = { method: 'POST', path: route, headers: {}, parameters: {}, data: { email } }
      expect((await wired.forgot().html({ format: 'html', request })).statusCode).toBe(303)
    }
  })
})
