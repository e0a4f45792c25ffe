import { createHash, hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { KeyRing } from '../../src/proof/secret.ts'
import { hours, minutes, seconds } from '../support/clock.ts'
import { takes } from '../support/login.ts'
import { newPassword, oldPassword, route, secret } from '../support/site.ts'
import type { Page } from '../support/visitor.ts'
import { ask, Client, outcome } from './client.ts'
import { exchange } from './raw.ts'
import { attackedSite, form, formats, json, newAccount, newAddress, settled } from './support.ts'

const site = attackedSite({
  recovery: { methods: ['link', 'code'] },
  routes: { '/reset/:token': { action: 'forgot', step: 'open' } },
})
const otherPassword = 'yet another passphrase, please'

/** All that an answer says, but for the cookie, which is sealed anew each time. */
const said = (page: Page) => ({
  status: page.status,
  headers: [...page.headers].filter(([name]) => name !== 'set-cookie' && name !== 'date'),
  body: page.body,
})

function expectHouseHeaders(page: Page): void {
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(page.headers.get('referrer-policy')).toBe('no-referrer')
  expect(page.headers.get('x-content-type-options')).toBe('nosniff')
  expect(page.headers.get('cache-control')).toBe('no-store')
}

describe.each(formats)('by $name', (format) => {
  const client = () => new Client(site(), format)

  it('C1 works once: after that both the page and the form refuse it', async () => {
    const account = newAccount(site())
    const one = await ask(site(), account.email, client())
    const other = client()
    for (const each of [one.client, other]) expect(outcome(await each.open(one.link))).toBe('reset')
    expect(outcome(await one.client.change(newPassword))).toBe('done')
    for (const page of [
      await one.client.open(one.link),
      await client().open(one.link),
      await other.change(otherPassword),
      await client().post({ token: one.token, password: otherPassword }),
    ]) {
      expect(outcome(page)).toBe('410 link-used')
    }
    expect(site().hasPassword(account.email, newPassword)).toBe(true)
  })

  it('C2 works until its last second, on the page and in the form, and a clock set back revives nothing', async () => {
    const account = newAccount(site())
    const one = await ask(site(), account.email, client())
    await one.client.open(one.link)
    site().clock.move(hours(1) - seconds(1))
    expect(outcome(await client().open(one.link))).toBe('reset')
    const short = await client().post({ token: one.token, password: 'too short' })
    expect(outcome(short)).toBe('400 password-too-short')
    site().clock.move(seconds(1))
    expect(outcome(await one.client.change(newPassword))).toBe('410 link-expired')
    for (const ms of [0, seconds(1), -minutes(30), minutes(30)]) {
      site().clock.move(ms)
      for (const page of [
        await client().open(one.link),
        await client().post({ token: one.token, password: newPassword }),
      ]) {
        expect(outcome(page)).toBe('410 link-expired')
      }
    }
    expect(site().hasPassword(account.email, oldPassword)).toBe(true)
  })

  it('C3 gives one answer to all that never was a link; one that was says what became of it: C1, C2, C7', async () => {
    const { token } = await ask(site(), newAccount(site()).email, client())
    const answers: unknown[] = []
    for (const near of [
      'A'.repeat(43),
      createHash('sha256').update(token).digest('base64url'),
      '',
      'x',
      token.slice(1),
      token.slice(0, -1),
      `${token}A`,
      token.replace(/[a-z]/, (letter) => letter.toUpperCase()),
      token.toLowerCase(),
      `${token}=`,
      `${token}.`,
      `${token}/`,
      ` ${token}`,
      `${token}\0`,
      `${token.slice(0, -1)}é`,
    ]) {
      const got = await client().get(`?token=${encodeURIComponent(near)}`)
      const posted = await client().post({ token: near, password: newPassword })
      expect(outcome(got), near).toBe('404 link-invalid')
      // Without a token the form counts as one that nobody has opened.
      if (near !== '') expect(outcome(posted), near).toBe('404 link-invalid')
      answers.push(said(got), near === '' ? said(got) : said(posted))
    }
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(JSON.stringify(answers)).not.toContain(token.slice(1, -1))
    expect(outcome(await client().get(`?token=${token}`))).toBe('reset')
  })

  it('C5 changes the account that the link names, whoever else a request names', async () => {
    const [account, other] = [newAccount(site()), newAccount(site())]
    const named = { email: other.email, username: other.email, userId: other.id, user_id: other.id }
    const more = { id: other.id, member_no: other.id, account: other.email, resetId: 'x' }
    const fields = Object.fromEntries(
      Object.entries({ ...named, ...more }).map(([name, value]) => [name, String(value)]),
    )
    const query = `?${new URLSearchParams(fields)}`
    const one = await ask(site(), account.email, client())
    expect(outcome(await client().get(`${query}&token=${one.token}`))).toBe('reset')
    const foreign = await client().post({
      token: one.token,
      password: otherPassword,
      sealedEmail: 'x',
    })
    expect(outcome(foreign)).toBe('404 link-invalid')
    const sealedOther = new KeyRing([secret]).sealStably('email', other.email)
    const others = { token: one.token, password: otherPassword, sealedEmail: sealedOther }
    expect(outcome(await client().post(others))).toBe('404 link-invalid')
    await one.client.open(`${one.link}&${query.slice(1)}`)
    const body = { ...fields, ...one.client.proof, password: newPassword }
    expect(outcome(await one.client.post(body, { query }))).toBe('done')
    expect(site().hasPassword(account.email, newPassword)).toBe(true)
    expect(site().hasPassword(other.email, oldPassword)).toBe(true)
  })

  it('C7 is the same in every mail of the first half of its life, and after that dies for a newer one', async () => {
    const { email } = newAccount(site())
    const first = await ask(site(), email, client())
    site().clock.move(minutes(29))
    const second = await ask(site(), email, client())
    expect([second.link, second.reference]).toEqual([first.link, first.reference])
    site().clock.move(minutes(2))
    const third = await ask(site(), email, client())
    expect(third.link).not.toBe(first.link)
    expect(third.reference).not.toBe(first.reference)
    for (const page of [
      await client().open(first.link),
      await client().post({ token: first.token, password: otherPassword }),
    ]) {
      expect(outcome(page)).toBe('410 link-replaced')
    }
    await third.client.open(third.link)
    expect(outcome(await third.client.change(newPassword))).toBe('done')
  })

  it.each([
    ['password', "update members set pw_hash = 'theirs' where member_no = ?"],
    ['address', "update members set mail = 'moved-' || mail where member_no = ?"],
    ['state', 'update members set active = 0 where member_no = ?'],
    ['existence', 'delete from members where member_no = ?'],
  ])('C9 dies with a change of the account’s %s, in a page that is open too', async (_, change) => {
    const account = newAccount(site())
    const one = await ask(site(), account.email, client())
    await one.client.open(one.link)
    site().database.prepare(change).run(account.id)
    for (const page of [
      await client().open(one.link),
      await client().post({ token: one.token, password: newPassword }),
      await one.client.change(newPassword),
    ]) {
      expect(outcome(page)).toBe('404 link-invalid')
    }
    // By its number: the address that it had may be nobody's by now.
    const hash = site().database.prepare('select pw_hash from members where member_no = ?').pluck()
    expect(takes(String(hash.get(account.id)), newPassword)).toBe(false)
  })

  it('C12 cannot be skipped: the form for the password needs what was mailed', async () => {
    const account = newAccount(site())
    const one = await ask(site(), account.email, client())
    const { email } = account
    const password = newPassword
    for (const body of [
      { password },
      { password, email },
      { password, email, reference: one.reference },
      { password, reference: one.reference, csrf: 'x', step: 'reset' },
      { password, token: '' },
    ]) {
      for (const each of [one.client, client()]) {
        expect(outcome(await each.post(body)), JSON.stringify(body)).toBe('410 page-expired')
      }
    }
    for (const step of ['reset', 'reset&proven=1', `reset&email=${email}`]) {
      expect(outcome(await one.client.get(`?step=${step}`))).toBe('410 page-expired')
    }
    const query = `?${new URLSearchParams({ token: one.token, password })}`
    expect(outcome(await client().get(query))).toBe('reset')
    expect(outcome(await client().post({ password }, { query }))).toBe('410 page-expired')
    expect(site().hasPassword(account.email, oldPassword)).toBe(true)
  })

  it('C19 answers a mangled token in a path with a page of the house that echoes nothing', async () => {
    const { token } = await ask(site(), newAccount(site()).email, client())
    const whole = await client().get(`/reset/${token}`)
    expect(outcome(whole)).toBe('reset')
    const tail = 'shown-to-nobody'
    for (const start of ['/reset/', `${route}/`, `${route}?token=`]) {
      for (const part of [
        'x'.repeat(101),
        'x'.repeat(4000),
        '%zz',
        '%00',
        '%e0%a4',
        'a/b/',
        `${token}/`,
        `${token}%2f`,
        '%3Cscript%3E',
      ]) {
        const page = await client().get(`${start}${part}${tail}`)
        const sent = `${start}${part.slice(0, 20)}`
        expect([400, 404, 414], sent).toContain(page.status)
        expect(outcome(page), sent).toMatch(/^4\d\d (?:bad-request|not-found|link-invalid)$/)
        expect(`${page.body}${JSON.stringify([...page.headers])}`, sent).not.toMatch(
          /shown-to-nobody|<script>|FST_|Fastify|node_modules/i,
        )
        expectHouseHeaders(page)
      }
    }
  })
})

describe('where the password is asked for twice', () => {
  const confirming = attackedSite({ password: { confirm: true } })

  it.each(formats)(
    'C14 survives a refused password by $name, and shows none of it',
    async (format) => {
      const account = newAccount(confirming())
      const one = await ask(confirming(), account.email, new Client(confirming(), format))
      await one.client.open(one.link)
      for (const [password, confirm, reason] of [
        ['too short', 'too short', 'password-too-short'],
        ['', '', 'password-missing'],
        [newPassword, otherPassword, 'password-mismatch'],
        [newPassword, '', 'password-mismatch'],
        [account.email, account.email, 'password-contains-email'],
      ] as const) {
        const page = await one.client.change(password, { confirm })
        expect(outcome(page)).toBe(`400 ${reason}`)
        for (const typed of ['too short', newPassword, otherPassword]) {
          expect(page.body).not.toContain(typed)
        }
        expect([page.field('password'), page.field('confirm')]).toEqual(['', ''])
      }
      expect(outcome(await one.client.change(newPassword))).toBe('done')
      expect(confirming().hasPassword(account.email, newPassword)).toBe(true)
    },
  )
})

describe('where one bad proof is allowed', () => {
  const strict = attackedSite({
    server: { trustProxy: '127.0.0.1' },
    limits: { perAccount: 'off', perClient: 'off', badProofs: '1/15m' },
  })

  it.each([
    ['HTML', form, '192.0.2.1', '303 See Other'],
    ['JSON', json, '192.0.2.2', '200 OK'],
  ] as const)(
    'C10 survives scanners that look in %s, whose looks are not counted',
    async (...row) => {
      const [, format, from, found] = row
      const account = newAccount(strict())
      const one = await ask(strict(), account.email)
      const { search } = new URL(one.link)
      const look = async (query: string, headers: Record<string, string> = {}) => {
        const scanner = new Client(strict(), format)
        return outcome(await scanner.get(query, { 'x-forwarded-for': from, ...headers }))
      }
      const looks = Array.from({ length: 10 }, () => look(search))
      for (const headers of [
        { 'sec-purpose': 'prefetch;prerender' },
        { purpose: 'prefetch' },
        { 'user-agent': 'Mozilla/5.0 (compatible; Microsoft SafeLinks)' },
        { 'user-agent': 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)' },
        { 'sec-fetch-site': 'cross-site', referer: 'https://mail.example/' },
      ] as Record<string, string>[]) {
        looks.push(look(search, headers))
      }
      expect(new Set(await Promise.all(looks))).toEqual(new Set(['reset']))
      for (const method of ['HEAD', 'HEAD', 'HEAD', 'OPTIONS']) {
        const accept = format === json ? 'application/json' : 'text/html'
        const headers = { accept, 'x-forwarded-for': from }
        const answer = await exchange(strict(), { method, path: `${route}${search}`, headers })
        expect(answer.status).toBe(method === 'HEAD' ? found : '405 Method Not Allowed')
        expect(answer.body === '').toBe(method === 'HEAD')
      }
      // The one that is allowed is still there to be used up.
      const bad = `?token=${'x'.repeat(43)}`
      expect(await look(bad)).toBe('404 link-invalid')
      expect(await look(bad)).toBe('429 too-many-requests')
      const reader = new Client(strict(), format)
      await reader.open(one.link)
      expect(outcome(await reader.change(newPassword))).toBe('done')
      expect(strict().hasPassword(account.email, newPassword)).toBe(true)
    },
  )
})

it('C12 takes a cookie of the flow from nobody but the site', async () => {
  const account = newAccount(site())
  const one = await ask(site(), account.email)
  await one.client.open(one.link)
  const sealed = await site()
    .visitor()
    .get(`${route}${new URL(one.link).search}`)
  const [, cookie = ''] = /^forgot=([\w-]+)/.exec(sealed.headers.get('set-cookie') ?? '') ?? []
  const flip = (letter: string) => (letter === 'A' ? 'B' : 'A')
  const reset = (value: string) =>
    site()
      .visitor()
      .get(`${route}?step=reset`, { cookie: `forgot=${value}` })
  expect(outcome(await reset(cookie))).toBe('reset')
  for (const forged of [
    '',
    'x',
    'e30',
    cookie.slice(1),
    `${cookie.slice(0, 40)}${flip(cookie.charAt(40))}${cookie.slice(41)}`,
    `${cookie}A`,
    Buffer.from(JSON.stringify({ isProven: true, email: account.email })).toString('base64url'),
  ]) {
    expect(outcome(await reset(forged)), forged).toBe('410 page-expired')
  }
})

describe('the store', () => {
  const emails = () => [newAccount(site()).email, newAccount(site()).email, newAddress()]

  it('C16 holds no link, code, password or address: only what cannot be turned back into one', async () => {
    const [one = '', other = '', nobody = ''] = emails()
    const asked = await ask(site(), one)
    await ask(site(), other)
    await new Client(site(), form).ask(nobody)
    await settled(site())
    const secrets = [asked.token, asked.code, newPassword, one, other, nobody]
    const digest = createHash('sha256').update(asked.token).digest('base64url')
    await expectOnlyOf(secrets, digest)
    await asked.client.open(asked.link)
    await asked.client.change(newPassword)
    await site().smtp.to(one, 2)
    await settled(site())
    await expectOnlyOf(secrets, digest)
  })

  it('C16 holds nothing that a million guesses turn into a code', async () => {
    await ask(site(), newAccount(site()).email)
    const dump = JSON.stringify([
      await site().rows('select * from password_reset'),
      await site().rows('select * from mail_job'),
    ])
    const stored = new Set(
      (dump.match(/[\w-]{20,}/g) ?? []).flatMap((text) => [
        text.toLowerCase(),
        Buffer.from(text, 'base64url').toString('hex'),
      ]),
    )
    expect(stored.size).toBeGreaterThan(4)
    const found: string[] = []
    for (let guess = 0; guess < 1_000_000; guess += 1) {
      const text = String(guess).padStart(6, '0')
      if (stored.has(hash('sha256', text))) found.push(text)
    }
    expect(found).toEqual([])
  })

  /** Looks through all that the store holds, and whatever else lies beside it, but for the site's own. */
  async function expectOnlyOf(texts: readonly string[], digest: string): Promise<void> {
    const dump = await site().store.dump()
    expect(dump).toContain(digest)
    for (const text of texts) expect(dump.includes(text), text).toBe(false)
    const names = readdirSync(site().folder, { recursive: true, encoding: 'utf8' })
    for (const name of names.filter((each) => !each.startsWith('site.db'))) {
      const bytes = readFileSync(join(site().folder, name))
      for (const text of texts) expect(bytes.includes(text), `${name}: ${text}`).toBe(false)
    }
  }
})
