import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import { minutes } from '../support/clock.ts'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import type { Page } from '../support/visitor.ts'
import {
  expectOrdinaryReset,
  form,
  formats,
  json,
  mailedToken,
  newAccount,
  newAddress,
  settled,
} from './support.ts'

let site: Site
beforeEach(async () => {
  site = await Site.start()
})
afterEach(async () => {
  // Everybody here is one client: what is left of its limit is not what this is about.
  await restart({ perAccount: 'off', perClient: 'off', badProofs: 'off' })
  await expectOrdinaryReset(site)
  await site.stop()
})

/** @param limits Those that are not named are what an installation begins with. */
async function restart(limits: NonNullable<ConfigInput['limits']>): Promise<void> {
  await site.server?.close()
  site.config = { ...site.config, limits }
  await site.listen()
}

const either = [form, json] as const

it.each(formats)(
  'F1 mails one address once a minute, five times an hour and ten times a day, whatever comes by $name',
  async ({ post, granted }) => {
    await restart({ perClient: 'off' })
    const [known, unknown] = [newAccount(site).email, newAddress()]
    const visitors = [site.visitor(), site.visitor()] as const
    const spelt = (email: string, index: number) => (index % 2 ? email.toUpperCase() : email)
    let mailed = 0
    const ask = async (times: number, everyMs: number) => {
      for (let index = 0; index < times; index += 1) {
        const pages = [
          await post(visitors[0], { email: spelt(known, index) }),
          await post(visitors[1], { email: spelt(unknown, index) }),
        ] as const
        expect(pages[0].status).toBe(granted)
        expect(said(pages[0], known)).toEqual(said(pages[1], unknown))
        await settled(site)
        const counts = await jobsByAddress()
        expect(counts).toEqual([counts[0], counts[0]])
        mailed = counts[0] ?? 0
        site.clock.move(everyMs)
      }
    }
    await ask(100, 600)
    expect(mailed).toBe(1)
    await ask(11, minutes(5))
    expect(mailed).toBe(5)
    await ask(22, minutes(60))
    expect(mailed).toBe(10)
    expect(site.smtp.mails.map((mail) => mail.recipients)).toEqual(Array(10).fill([known]))
  },
)

it('F3 takes a client that makes up its address for one, in both formats', async () => {
  await restart({ perClient: '2/10m' })
  const first = await form.post(site.visitor(), { email: newAddress() })
  const second = await json.post(site.visitor(), { email: newAddress() })
  expect([first.status, second.status]).toEqual([303, 202])
  for (const [name, prefix] of [
    ['X-Forwarded-For', ''],
    ['X-Real-IP', ''],
    ['CF-Connecting-IP', ''],
    ['True-Client-IP', ''],
    ['X-Client-IP', ''],
    ['Forwarded', 'for='],
  ] as const) {
    for (const [index, { post, reason }] of formats.entries()) {
      const headers = { [name]: `${prefix}203.0.113.${index}` }
      const page = await post(site.visitor(), { email: newAddress() }, headers)
      expect([name, page.status, reason(page)]).toEqual([name, 429, 'too-many-requests'])
    }
  }
})

it.each(formats)(
  'F5 leaves somebody whose mails an attacker has used up their link and their password, by $name',
  async (format) => {
    await restart({ perClient: 'off' })
    const [alice, unknown] = [newAccount(site).email, newAddress()]
    const victim = site.visitor()
    await victim.post(route, { email: unknown })
    const token = await mailedToken(site, alice)
    const [attacker, other] = [site.visitor(), site.visitor()]
    // Past the first half of the link's life, when one that is granted would replace it.
    for (let minute = 0; minute < 50; minute += 5) {
      await settled(site)
      site.clock.move(minutes(5))
      for (const each of [1, 2, 3]) {
        const page = await format.post(attacker, { email: alice })
        expect([each, said(page, alice)]).toEqual([
          each,
          said(await format.post(other, { email: unknown }), unknown),
        ])
      }
    }
    expect(site.hasPassword(alice, oldPassword)).toBe(true)
    const mails = await site.smtp.to(alice)
    expect(mails.map(({ mail }) => mail.text?.includes(token))).toEqual(Array(5).fill(true))
    const page = await format.post(victim, { token, password: newPassword })
    expect(page.status).toBe(format.changed)
    expect(site.hasPassword(alice, newPassword)).toBe(true)
  },
)

it('F8 answers a flood of unknown addresses with 429, and everybody else as ever', async () => {
  await restart({})
  const reader = site.visitor()
  const pages: Page[] = []
  for (let round = 0; round < 50; round += 1) {
    const [first, ...rest] = await Promise.all([
      reader.get(route),
      ...Array.from({ length: 20 }, (_, index) =>
        either[index % 2 ? 0 : 1].post(site.visitor(), { email: newAddress() }),
      ),
    ])
    expect([first.status, first.step]).toEqual([200, 'form'])
    pages.push(...rest)
  }
  const refused = pages.filter((page) => page.status === 429)
  expect([pages.length, refused.length]).toEqual([1000, 980])
  for (const page of refused) {
    const seconds = Number(page.headers.get('retry-after'))
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(600)
  }
  await settled(site)
  expect(site.smtp.mails).toEqual([])
})

it('F10 hashes in two threads at most, and answers others meanwhile', async () => {
  await site.server?.close()
  // Dear enough to be noticed, if it were done where requests are answered.
  site.config = { ...site.config, password: { ...site.config.password, cost: 8 } }
  await site.listen()
  const people = Array.from({ length: 50 }, () => newAccount(site).email)
  const tokens = await Promise.all(people.map((email) => mailedToken(site, email)))
  const threads: unknown[] = []
  const onThread = (message: unknown) => threads.push(message)
  subscribe('worker_threads', onThread)
  const longest = 'many words that nobody else would choose. '.repeat(2).slice(0, 72)
  let isOver = false
  const resets = Promise.all(
    tokens.map((token, index) => {
      const { post } = either[index % 2 ? 0 : 1]
      return post(site.visitor(), { token, password: longest })
    }),
  ).finally(() => {
    isOver = true
  })
  let pages = 0
  while (!isOver) {
    expect((await site.visitor().get(route)).status).toBe(200)
    pages += 1
  }
  unsubscribe('worker_threads', onThread)
  const statuses = (await resets).map((page) => page.status)
  expect(statuses).toEqual(people.map((_, index) => (index % 2 ? 303 : 200)))
  expect(threads.length).toBeGreaterThan(0)
  expect(threads.length).toBeLessThanOrEqual(2)
  // Were they made one after the other in between, there would be fewer pages than hashes.
  expect(pages).toBeGreaterThan(people.length)
})

/** How many mails were granted to each of the addresses that were asked for. */
async function jobsByAddress(): Promise<number[]> {
  const sql = "select count(*) as count from mail_job where kind = 'recovery' group by subject_key"
  return (await site.rows<{ count: number }>(sql)).map(({ count }) => count)
}

/** What an answer tells, but for the address that was typed and the reference. */
function said(page: Page, email: string) {
  const local = email.slice(0, email.indexOf('@'))
  return {
    status: page.status,
    headers: [...page.headers.keys()],
    location: page.headers.get('location'),
    body: page.body
      .replaceAll(new RegExp(`${local}@site.example`, 'gi'), '…')
      .replaceAll(/[2-9A-Z]{4}-[2-9A-Z]{4}/g, 'REF'),
  }
}
