import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { Opened } from '../../src/opened.ts'
import { openStore } from '../../src/parts.ts'
import { settled } from '../attacks/support.ts'
import { hours } from '../support/clock.ts'
import { accounts, route, Site } from '../support/site.ts'
import { codeIn, linkIn } from '../support/smtp.ts'
import { inFile } from '../support/store.ts'
import { eventually } from '../support/wait.ts'

const statements = new Set<string>()
let site: Site
beforeAll(async () => {
  const { prepare } = Database.prototype
  vi.spyOn(Database.prototype, 'prepare').mockImplementation(function (this: object, source) {
    statements.add(source)
    return prepare.call(this, source)
  })
  site = await Site.start({
    store: inFile,
    recovery: { methods: ['link', 'code'] },
    limits: { perClient: '1000/1h', badProofs: '1000/1h' },
  })
})
afterAll(async () => {
  vi.restoreAllMocks()
  await site.stop()
})

it('no statement of a recovery reads a whole table, however many rows there are', async () => {
  const { email } = accounts.alice
  const visitor = site.visitor()
  await visitor.post(route, { email })
  await visitor.post(route, { resend: '1' })
  const [mail] = await site.smtp.to(email)
  await visitor.post(route, { code: codeIn(mail) === '000000' ? '000001' : '000000' })
  await visitor.get(linkIn(mail))
  expect((await site.reset(linkIn(mail))).status).toBe(303)
  await eventually(() => site.smtp.mails.length >= 2)
  await settled(site)
  const opened = new Opened()
  const { store } = await openStore(loadConfig(site.config), opened)
  const later = site.clock.now() + hours(30)
  while (await store.prune(later, later, 10));
  await opened.close()
  const own = [...statements].filter((text) =>
    /"(?:password_reset|mail_job|audit_event|rate_limit)"/.test(text),
  )
  expect(own.length).toBeGreaterThan(20)
  const database = new Database(site.storeFile, { readonly: true })
  const scans = own
    .filter((text) => /^(?:select|update|delete|with)/i.test(text))
    .flatMap((text) => {
      const query = database.prepare(`explain query plan ${text}`)
      const plan = query.all(...Array(text.split('?').length - 1).fill(null)) as {
        detail: string
      }[]
      const scanned = plan.filter(({ detail }) => /^SCAN (?!CONSTANT)/.test(detail))
      return scanned.map(({ detail }) => `${detail}: ${text}`)
    })
  database.close()
  expect(scans).toEqual([])
})
