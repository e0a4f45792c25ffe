import { describe, expect, it } from 'vitest'
import { minutes, seconds } from '../support/clock.ts'
import { newPassword, oldPassword, route } from '../support/site.ts'
import { codeIn } from '../support/smtp.ts'
import type { Page } from '../support/visitor.ts'
import { ask, Client, outcome, wrong } from './client.ts'
import { exchange } from './raw.ts'
import { attackedSite, form, formats, json, newAccount, newAddress, watchMail } from './support.ts'

const site = attackedSite({ recovery: { methods: ['link', 'code'] } })

/** What a page says, without what is bound to differ from one address to another. */
const masked = (page: Page, email: string, reference: string) => ({
  status: page.status,
  headers: [...page.headers.keys()],
  body: page.body.replaceAll(email, '…').replaceAll(reference, 'REF'),
})

describe.each(formats)('by $name', (format) => {
  const client = () => new Client(site(), format)
  const asked = async (account = newAccount(site())) => ({
    account,
    ...(await ask(site(), account.email, client())),
  })

  it('D1 answers the fifth wrong try with 429 code-locked, as the right code from then on; the link works', async () => {
    const one = await asked()
    for (const left of ['4 more tries.', '3 more tries.', '2 more tries.', '1 more try.']) {
      const page = await one.client.guess(wrong(one.code))
      expect(outcome(page)).toBe('400 code-wrong')
      expect(page.body).toContain(left)
    }
    const pages: Page[] = []
    for (const typed of [wrong(one.code), one.code, one.code]) {
      const page = await one.client.guess(typed)
      expect(outcome(page)).toBe('429 code-locked')
      pages.push(page)
    }
    expect(pages[1]?.body).toBe(pages[0]?.body)
    const direct = { reference: one.reference, code: one.code, password: newPassword }
    expect(outcome(await client().post(direct))).toBe('429 code-locked')
    expect(site().hasPassword(one.account.email, oldPassword)).toBe(true)
    await one.client.open(one.link)
    expect(outcome(await one.client.change(newPassword))).toBe('done')
  })

  it('D2 ends a code with the password that it sets; a look at it costs no try and spends nothing', async () => {
    const one = await asked()
    const other = client()
    other.reference = one.reference
    const known = { reference: one.reference }
    for (let each = 0; each < 7; each += 1) {
      expect(outcome(await one.client.guess(one.code))).toBe('reset')
      expect(outcome(await other.guess(one.code, known))).toBe('reset')
    }
    const first = await one.client.guess(wrong(one.code), known)
    expect(first.body).toContain('4 more tries.')
    expect(outcome(await one.client.change(newPassword))).toBe('done')
    expect(outcome(await other.change('a second passphrase'))).toBe('410 link-used')
    for (const each of [one.client, other, client()]) {
      for (const more of [known, { ...known, password: 'a second passphrase' }]) {
        expect(outcome(await each.guess(one.code, more))).toBe('400 code-expired')
      }
    }
    const next = await ask(site(), one.account.email, client())
    expect(next.code).not.toBe(one.code)
    expect(outcome(await next.client.guess(one.code))).toBe('400 code-wrong')
    expect(site().hasPassword(one.account.email, newPassword)).toBe(true)
  })

  it('D3 works for ten minutes and not a second longer, and the link goes on', async () => {
    const one = await asked()
    site().clock.move(minutes(10) - seconds(1))
    expect(outcome(await one.client.guess(one.code))).toBe('reset')
    for (const ms of [seconds(1), seconds(1)]) {
      site().clock.move(ms)
      const direct = { reference: one.reference, code: one.code, password: newPassword }
      for (const page of [await one.client.guess(one.code), await client().post(direct)]) {
        expect(outcome(page)).toBe('400 code-expired')
      }
    }
    expect(site().hasPassword(one.account.email, oldPassword)).toBe(true)
    await one.client.open(one.link)
    expect(outcome(await one.client.change(newPassword))).toBe('done')
  })

  it('D7 refuses one person’s code for another, and counts it against the other', async () => {
    const [one, other] = [await asked(), await asked()]
    const crossed = await client().post({ code: one.code, reference: other.reference })
    expect(outcome(crossed)).toBe('400 code-wrong')
    expect(crossed.body).toContain('4 more tries.')
    const password = newPassword
    const byAddress = await client().post({ code: one.code, email: other.account.email, password })
    expect(byAddress.body).toContain('3 more tries.')
    const inTheirs = await other.client.guess(one.code)
    expect(inTheirs.body).toContain('2 more tries.')
    const named = { reference: one.reference, email: other.account.email }
    const both = await client().post({ code: one.code, password, ...named })
    expect(outcome(both)).toBe('400 reference-unknown')
    // The flow's own tries are all there.
    expect((await one.client.guess(wrong(one.code))).body).toContain('4 more tries.')
    for (const { account } of [one, other]) {
      expect(site().hasPassword(account.email, oldPassword)).toBe(true)
    }
    expect(outcome(await other.client.guess(other.code))).toBe('reset')
  })

  it('D10 counts the same tries, however a guess is dressed and wherever it is sent', async () => {
    const one = await asked()
    const plain = one.reference.replace('-', '').toLowerCase()
    const guesses = [
      () => one.client.guess(wrong(one.code, 1), { lang: 'th' }),
      () => one.client.guess(wrong(one.code, 2), {}, { query: '?x=1&code=000000&lang=fr' }),
      () => one.client.guess(wrong(one.code, 3), { reference: plain }),
      () =>
        client().guess(wrong(one.code, 4), {
          reference: ` ${plain.slice(0, 5)}–${plain.slice(5)}`,
        }),
      () => one.client.guess(wrong(one.code, 5), {}, { headers: { 'user-agent': 'another' } }),
      () => one.client.guess(wrong(one.code, 6), {}, { headers: { 'accept-language': 'ar' } }),
      () =>
        one.client.guess(wrong(one.code, 7), {}, { headers: { 'x-forwarded-for': '192.0.2.7' } }),
      () => client().post({ code: wrong(one.code, 8), email: one.account.email }),
      () => client().post({ code: wrong(one.code, 9), email: one.account.email.toUpperCase() }),
      ...formats.map((other) => () => {
        const fields = { code: wrong(one.code, 10), reference: one.reference }
        return new Client(site(), other).post(fields)
      }),
    ]
    const outcomes: string[] = []
    for (const guess of guesses) outcomes.push(outcome(await guess()))
    expect(outcomes).toEqual([
      ...Array.from({ length: 4 }, () => '400 code-wrong'),
      ...Array.from({ length: guesses.length - 4 }, () => '429 code-locked'),
    ])
    expect(outcome(await one.client.guess(one.code))).toBe('429 code-locked')
  })

  it('D10 compares no code for a reference and an address that are not of one recovery', async () => {
    const one = await asked()
    for (let each = 1; each <= 10; each += 1) {
      const fields = { code: one.code, reference: one.reference, email: newAddress() }
      expect(outcome(await client().post(fields))).toBe('400 reference-unknown')
    }
    expect(outcome(await one.client.guess(one.code))).toBe('reset')
  })

  it('D10 knows no other spelling of its path', async () => {
    const one = await asked()
    const fields = { code: one.code, reference: one.reference, password: newPassword }
    const isForm = format === form
    const type = isForm ? 'application/x-www-form-urlencoded' : 'application/json'
    const body = isForm ? new URLSearchParams(fields).toString() : JSON.stringify(fields)
    for (const path of [
      `${route}/`,
      `/${route}`,
      route.toUpperCase(),
      route.replace('/forgot', '//forgot'),
      `${route}%2f`,
      `${route};x`,
      `/x/..${route}`,
      `${route}/..%2fforgot-password`,
    ]) {
      const headers = { 'content-type': type }
      const answer = await exchange(site(), { method: 'POST', path, headers, body })
      expect(answer.status, path).toBe('404 Not Found')
    }
    expect(site().hasPassword(one.account.email, oldPassword)).toBe(true)
  })

  it('D10 goes on counting when the mail is asked for again', async () => {
    const one = await asked()
    for (let each = 1; each <= 4; each += 1) await one.client.guess(wrong(one.code, each))
    const again = await ask(site(), one.account.email, client())
    expect([again.code, again.reference]).toEqual([one.code, one.reference])
    expect(outcome(await again.client.guess(wrong(one.code)))).toBe('429 code-locked')
    expect(outcome(await again.client.guess(one.code))).toBe('429 code-locked')
  })

  it.each(['unknown', 'disabled'])(
    'D14 has the same dialogue with an address that is %s, down to the lock',
    async (kind) => {
      const dialogue = async (email: string) => {
        const browser = client()
        const pages = [await browser.ask(email)]
        // A code that is right once in a million runs.
        for (let each = 0; each < 6; each += 1) pages.push(await browser.guess('000000'))
        const { reference } = browser
        for (const known of [{ reference }, { email }, { reference, email }]) {
          pages.push(await client().post({ code: '000000', ...known }))
          pages.push(await client().post({ code: '000000', ...known, password: newPassword }))
        }
        expect(reference).toMatch(/^[A-Z][2-9A-Z]{3}-[2-9A-Z]{4}$/)
        return pages.map((page) => masked(page, email, reference))
      }
      const known = await dialogue(newAccount(site()).email)
      const email = kind === 'unknown' ? newAddress() : newAccount(site(), { active: 0 }).email
      expect(await dialogue(email)).toEqual(known)
      const sent = format === form ? 200 : 202
      const rest = Array.from({ length: 8 }, () => 429)
      expect(known.map(({ status }) => status)).toEqual([sent, 400, 400, 400, 400, ...rest])
    },
  )

  it('D17 asks for an odd code to be mended, which is no try', async () => {
    const one = await asked()
    const odd = ['12345', '1234567', 'abcdef', '1e5', '0x1E240', '123456.0', '-12345', '12345O']
    for (const [typed, reason] of [
      ['', 'code-missing'],
      ['   ', 'code-missing'],
      ['\n', 'code-missing'],
      ...[...odd, '+123456', '123456\0', "' or 1=1", '9'.repeat(10_000)].map(
        (each) => [each, 'code-malformed'] as const,
      ),
    ] as const) {
      const page = await one.client.guess(typed)
      expect(outcome(page), JSON.stringify(typed.slice(0, 20))).toBe(`400 ${reason}`)
    }
    const page = await one.client.guess(`${wrong(one.code)}\n`)
    expect(outcome(page)).toBe('400 code-wrong')
    expect(page.body).toContain('4 more tries.')
    const typed = `\n ${one.code.slice(0, 3)}-${one.code.slice(3)} `
    expect(outcome(await one.client.guess(typed))).toBe('reset')
  })
})

describe('D6 counts many guesses in one request as one, and takes none for right', () => {
  it.each([
    ['code=000000&code=<right>', 'repeated'],
    ['code=<right>&code=000000', 'repeated, the right one first'],
    ['code=000000,<right>', 'in a list'],
    ['code=<right>%0a000000', 'in lines'],
    ['code=<right>%20<right>', 'the right one twice'],
    ['code=<right>&code=000000&password=a+brand+new+passphrase', 'with a password'],
  ])('D6 in a form: %s, %s', async (body) => {
    const account = newAccount(site())
    const { client, code } = await ask(site(), account.email)
    const outcomes: string[] = []
    for (let each = 0; each < 5; each += 1) {
      outcomes.push(outcome(await client.post(body.replaceAll('<right>', code))))
    }
    expect(outcomes).toEqual([
      ...Array.from({ length: 4 }, () => '400 code-wrong'),
      '429 code-locked',
    ])
    expect(outcome(await client.guess(code))).toBe('429 code-locked')
    expect(site().hasPassword(account.email, oldPassword)).toBe(true)
  })

  it.each<[string, (code: string) => object]>([
    ['in a list', (code) => ({ code: ['000000', code] })],
    ['in a list of one', (code) => ({ code: [code] })],
    ['in one text', (code) => ({ code: `000000,${code}` })],
    ['with a password', (code) => ({ code: [code], password: newPassword })],
  ])('D6 in JSON: %s', async (_, fields) => {
    const account = newAccount(site())
    const { client, code, reference } = await ask(site(), account.email, new Client(site(), json))
    const outcomes: string[] = []
    for (let each = 0; each < 5; each += 1) {
      outcomes.push(outcome(await client.post({ reference, ...fields(code) })))
    }
    expect(outcomes).toEqual([
      ...Array.from({ length: 4 }, () => '400 code-wrong'),
      '429 code-locked',
    ])
    expect(outcome(await client.guess(code))).toBe('429 code-locked')
    expect(site().hasPassword(account.email, oldPassword)).toBe(true)
  })

  it('D6 in JSON that names the code twice: not even one', async () => {
    const { client, code, reference } = await ask(
      site(),
      newAccount(site()).email,
      new Client(site(), json),
    )
    const body = `{"reference":"${reference}","code":"000000","code":"${code}"}`
    for (let each = 0; each < 6; each += 1) {
      expect(outcome(await client.post(body))).toBe('400 bad-request')
    }
    expect(outcome(await client.guess(code))).toBe('reset')
  })
})

it('D12 mails codes of six digits, each as likely as any other, leading zeros included', async () => {
  // Far more are drawn in test/proof/code.test.ts; these are what people are sent.
  const count = 200
  const mails = await watchMail(site())
  const askers = Array.from({ length: count }, () => newAccount(site()).email)
  await Promise.all(askers.map((email) => new Client(site(), json).ask(email)))
  const codes = (await mails()).map(codeIn)
  expect(codes).toHaveLength(count)
  expect(codes.filter((code) => !/^\d{6}$/.test(code))).toEqual([])
  for (let place = 0; place < 6; place += 1) {
    const seen = Array.from(
      { length: 10 },
      (_, digit) => codes.filter((code) => code[place] === String(digit)).length,
    )
    const chiSquare = seen.reduce((sum, each) => sum + (each - count / 10) ** 2 / (count / 10), 0)
    // 9 degrees of freedom: one run in ten million goes beyond this.
    expect(chiSquare).toBeLessThan(50)
  }
})

it('D17 asks for a code in JSON that is no text to be mended, which is no try', async () => {
  const one = await ask(site(), newAccount(site()).email, new Client(site(), json))
  const { code, reference } = one
  for (const value of [Number(code), null, true, {}, { 0: code }, { code }]) {
    for (const more of [{}, { password: newPassword }]) {
      const page = await one.client.post({ reference, code: value, ...more })
      expect(outcome(page), JSON.stringify(value)).toMatch(/^400 code-(?:missing|malformed)$/)
    }
  }
  expect((await one.client.guess(wrong(code))).body).toContain('4 more tries.')
  expect(outcome(await one.client.guess(code))).toBe('reset')
})
