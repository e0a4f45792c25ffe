import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { createServer } from '../../src/server.ts'
import { newAccount, settled } from '../attacks/support.ts'
import { hours, minutes, seconds, TestClock } from '../support/clock.ts'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import { codeIn, linkIn } from '../support/smtp.ts'
import { Visitor } from '../support/visitor.ts'
import { eventually, freePort } from '../support/wait.ts'
import { expectInvariants } from './invariants.ts'
import { keepWaiting, person } from './support.ts'

let site: Site
beforeAll(async () => {
  site = await Site.start({
    recovery: { methods: ['link', 'code'] },
    limits: { perAccount: '2/1h', perClient: 'off', badProofs: 'off' },
  })
})
afterAll(() => site.stop())
afterEach(() => expectInvariants(site))

const shown = async (link: string) => {
  const page = await site.visitor().get(link)
  return page.status === 303 ? 'works' : page.reason
}

describe('a clock that jumps by two hours', () => {
  it('Z17 forward and back has ended what it met: no used or ended link, and no ended code, lives again', async () => {
    const open = await person(site)
    const used = await person(site)
    await site.reset(used.link)
    const coded = newAccount(site).email
    await site.visitor().post(route, { email: coded })
    const code = codeIn((await site.smtp.to(coded))[0])
    const guess = async () => (await site.visitor().post(route, { email: coded, code })).reason
    site.clock.move(hours(2))
    expect([await shown(open.link), await shown(used.link)]).toEqual(['link-expired', 'link-used'])
    expect(await guess()).toBe('code-expired')
    site.clock.move(-hours(2))
    expect([await shown(open.link), await shown(used.link)]).toEqual(['link-expired', 'link-used'])
    expect(await guess()).toBe('code-expired')
    for (const { token } of [open, used]) {
      const page = await site
        .visitor()
        .post(route, { token, password: 'another passphrase of mine' })
      expect(page.status).toBe(410)
    }
    expect(site.hasPassword(open.email, oldPassword)).toBe(true)
    expect(site.hasPassword(used.email, newPassword)).toBe(true)
  })

  it('Z17 back grants the mails of one window more, and not those of two', async () => {
    const email = newAccount(site).email
    const count = async () => {
      await settled(site)
      return site.smtp.mails.filter(({ recipients }) => recipients.includes(email)).length
    }
    const ask = async () => {
      for (const _ of [1, 2, 3, 4]) await site.visitor().post(route, { email })
      return count()
    }
    expect(await ask()).toBe(2)
    site.clock.move(-hours(2))
    expect(await ask()).toBeLessThanOrEqual(4)
    site.clock.move(minutes(30))
    expect(await ask()).toBeLessThanOrEqual(4)
    site.clock.move(minutes(90))
    expect(await ask()).toBeLessThanOrEqual(4)
  })

  it('Z17 back leaves no mail behind for two hours', async () => {
    const email = newAccount(site).email
    await keepWaiting(site, email)
    site.clock.move(-hours(2))
    const [mail] = await site.smtp.to(email)
    expect((await site.reset(linkIn(mail))).status).toBe(303)
  })

  it('Z17 forward mails nothing that has ended by then', async () => {
    const email = newAccount(site).email
    await keepWaiting(site, email)
    site.clock.move(hours(2))
    await eventually(
      async () => (await site.rows("select 1 from mail_job where state = 'dead'")).length > 0,
    )
    expect(site.smtp.mails.filter(({ recipients }) => recipients.includes(email))).toEqual([])
  })
})

it('Z17 two processes whose clocks drift apart agree on links, limits and use', async () => {
  const clock = new TestClock()
  // Less than the lease of a mail, all in all: who has one is not to lose it to the other's clock.
  clock.move(site.clock.now() - clock.now() + seconds(8))
  const port = await freePort()
  const config = loadConfig({ ...site.config, server: { port } }, { env: {} })
  const logStream = { write: (line: string) => site.logLines.push(line) }
  const ahead = await createServer(config, { clock, logStream })
  onTestFinished(() => ahead.close())
  await ahead.listen({ host: '127.0.0.1', port })
  const email = newAccount(site).email
  const here = site.visitor()
  const there = new Visitor(`http://127.0.0.1:${port}`)
  const references: string[] = []
  for (const visitor of [here, there, here, there]) {
    references.push((await visitor.follow(await visitor.post(route, { email }))).reference)
    for (const each of [site.clock, clock]) each.move(seconds(1))
    // A second more each second.
    clock.move(seconds(1))
  }
  expect(new Set(references).size).toBe(1)
  const mails = await site.smtp.to(email, 2)
  await settled(site)
  expect(site.smtp.mails.filter(({ recipients }) => recipients.includes(email))).toHaveLength(2)
  expect(linkIn(mails[0])).toBe(linkIn(mails[1]))
  const { search } = new URL(linkIn(mails[0]))
  expect((await site.reset(`${route}${search}`, newPassword, there)).status).toBe(303)
  expect(await shown(linkIn(mails[1]))).toBe('link-used')
})

it.each([
  ['forward', '2027-03-28T00:30:00Z'],
  ['back', '2027-10-31T00:30:00Z'],
])(
  'Z17 a link lives for an hour when the clocks of its country go %s in the meantime',
  async (_, at) => {
    const zone = process.env['TZ']
    onTestFinished(() => {
      if (zone === undefined) delete process.env['TZ']
      else process.env['TZ'] = zone
    })
    process.env['TZ'] = 'Europe/Berlin'
    const before = new Date(at)
    const after = new Date(before.getTime() + hours(1))
    expect(before.getTimezoneOffset()).not.toBe(after.getTimezoneOffset())
    site.clock.move(before.getTime() - site.clock.now())
    const email = newAccount(site).email
    const answer = await site.visitor().json(route, { email })
    expect(answer.json['data']).toMatchObject({
      expiresAt: after.toISOString(),
      expiresInMinutes: 60,
    })
    const [mail] = await site.smtp.to(email)
    site.clock.move(minutes(59))
    expect(await shown(linkIn(mail))).toBe('works')
    site.clock.move(minutes(1))
    expect(await shown(linkIn(mail))).toBe('link-expired')
  },
)
