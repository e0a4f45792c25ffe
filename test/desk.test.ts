import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../src/config/load.ts'
import { type IssuedLink, SupportDesk } from '../src/desk.ts'
import { Opened } from '../src/opened.ts'
import { openStore, openUsers } from '../src/parts.ts'
import { accounts, newPassword, route, Site } from './support/site.ts'
import { linkIn } from './support/smtp.ts'
import { eventually } from './support/wait.ts'

const { alice, bob, mallory, somchai } = accounts
const hour = 3_600_000

let site: Site
let desk: SupportDesk
const opened = new Opened()

beforeAll(async () => {
  site = await Site.start({ recovery: { methods: ['link', 'code'] } })
  const config = loadConfig(site.config, { env: {} })
  const { keys, store } = await openStore(config, opened)
  const users = await openUsers(config, site.clock, opened)
  desk = new SupportDesk({ config, clock: site.clock, keys, store, users })
})
afterAll(async () => {
  await opened.close()
  await site.stop()
})

async function issue(email: string): Promise<IssuedLink> {
  const issued = await desk.issue(email)
  if (typeof issued === 'string') throw new Error(issued)
  site.secrets.add(new URL(issued.link).searchParams.get('token') ?? '')
  return issued
}

const states = (email: string) =>
  desk.events(email, 20).then((events) => (typeof events === 'string' ? [] : events))

describe('a link that is issued', () => {
  it('works once and for as long as a mailed one, with nothing mailed before the change', async () => {
    const { link, reference, expiresAt } = await issue('ALICE@site.example')
    expect(reference).toMatch(/^\w{4}-\w{4}$/)
    expect(expiresAt).toBe(site.clock.now() + hour)
    expect(site.smtp.mails).toEqual([])
    expect((await site.reset(link)).status).toBe(303)
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
    expect((await site.visitor().get(link)).status).toBe(410)
    const [changed] = await site.smtp.to(alice.email)
    expect(changed?.mail.subject).toContain(reference)
  })

  it('takes the place of what was mailed, and gives it to the next mail', async () => {
    const mailed = await site.mailedLink(bob.email)
    const { link } = await issue('bob@site.example')
    expect((await site.visitor().get(mailed)).status).toBe(410)
    // The address of the account spells it otherwise; the visitor is mailed the link that is live.
    await site.visitor().post(route, { email: 'bob@site.example' })
    const mails = await site.smtp.to(bob.email, 2)
    expect(linkIn(mails[1])).toBe(link)
    expect((await site.reset(link)).status).toBe(303)
  })

  it('dies when the account changes', async () => {
    const { link } = await issue(somchai.email)
    site.database.prepare("update members set pw_hash = 'x' where mail = ?").run(somchai.email)
    expect((await site.visitor().get(link)).status).toBe(404)
  })

  it('is refused where there is no account, or no address', async () => {
    expect(await desk.issue('nobody@site.example')).toBe('no-account')
    expect(await desk.issue(mallory.email)).toBe('no-account')
    expect(await desk.issue('alice')).toBe('no-address')
  })

  it('is one of two that are issued at the same time', async () => {
    const both = await Promise.all([issue(alice.email), issue(alice.email)])
    const answers = await Promise.all(both.map(({ link }) => site.visitor().get(link)))
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1)
  })
})

describe('revoking', () => {
  it('ends link and code of an address, and says whether there was anything', async () => {
    const link = await site.mailedLink(alice.email)
    expect(await desk.revoke(alice.email)).toBe(true)
    expect((await site.visitor().get(link)).status).not.toBe(303)
    expect(await desk.revoke(alice.email)).toBe(false)
    expect(await desk.revoke('nobody@site.example')).toBe(false)
    expect(await desk.revoke('')).toBe('no-address')
  })
})

describe('the events of an address', () => {
  it('are those of its recoveries and of its account, the newest first', async () => {
    await eventually(async () => (await states(alice.email)).some(({ name }) => name === 'sent'))
    const events = await states(alice.email)
    const revoked = events.find(({ name }) => name === 'revoked')
    expect(revoked).toMatchObject({ reason: 'support', client: '' })
    expect(events.at(-1)).toMatchObject({ name: 'requested', reason: 'support' })
    const names = new Set(events.map(({ name }) => name))
    expect([...names]).toEqual(expect.arrayContaining(['opened', 'changed', 'sent', 'requested']))
    const times = events.map(({ at }) => at)
    expect(times).toEqual(times.toSorted((one, other) => other - one))
    expect(await desk.events(alice.email, 2)).toEqual(events.slice(0, 2))
    expect(await desk.events('nobody@site.example', 5)).toEqual([])
    expect(await desk.events('nobody', 5)).toBe('no-address')
  })
})
