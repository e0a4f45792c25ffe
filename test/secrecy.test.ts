import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../src/config/load.ts'
import { type Wired, wire } from '../src/wire.ts'
import { TestClock } from './support/clock.ts'
import { accounts, route, Site } from './support/site.ts'
import { inFile } from './support/store.ts'

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
        const before = commits()
        const request = {
          method: 'POST',
          path: route,
          headers: { 'sec-fetch-site': 'same-origin' },
          parameters: {},
          data: { email },
        }
        const response = await wired.forgot().html({ format: 'html', request })
        expect(response.statusCode).toBe(303)
        expect(commits() - before).toBe(1)
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

/**
 * How many transactions the write-ahead log holds: in a frame that ends one, the header's second word is
 * the size of the database (https://www.sqlite.org/fileformat2.html#walformat).
 */
function commits(): number {
  const log = readFileSync(`${site.storeFile}-wal`)
  if (log.length === 0) return 0
  const frameBytes = 24 + log.readUInt32BE(8)
  let count = 0
  for (let offset = 32; offset + frameBytes <= log.length; offset += frameBytes) {
    const isOfThisLog = log.subarray(offset + 8, offset + 16).equals(log.subarray(16, 24))
    if (isOfThisLog && log.readUInt32BE(offset + 4) !== 0) count += 1
  }
  return count
}
