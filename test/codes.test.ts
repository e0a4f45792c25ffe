import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../src/config/config.ts'
import { codeOf } from '../src/proof/code.ts'
import { KeyRing } from '../src/proof/secret.ts'
import { hours, minutes, seconds } from './support/clock.ts'
import { accounts, newPassword, route, Site, secret } from './support/site.ts'
import { codeIn, linkIn } from './support/smtp.ts'
import type { Page, Visitor } from './support/visitor.ts'
import { eventually } from './support/wait.ts'

const { alice, bob } = accounts
const nobody = 'nobody@site.example'

let site: Site
const start = async (recovery: ConfigInput['recovery'] = { methods: ['link', 'code'] }) => {
  site = await Site.start({ recovery })
}
beforeEach(() => start())
afterEach(() => site.stop())

/** Asks for a mail; the sent page, the code and the link in it. */
async function ask(email: string = alice.email, visitor: Visitor = site.visitor()) {
  const count = site.smtp.mails.filter((mail) => mail.recipients.includes(email)).length
  const sent = await visitor.follow(await visitor.post(route, { email }))
  const mail = (await site.smtp.to(email, count + 1)).at(-1)
  const code = codeIn(mail)
  site.secrets.add(code)
  return { visitor, sent, mail, code, reference: sent.reference }
}

const wrong = (code: string, offset = 1) =>
  String((Number(code) + offset) % 1_000_000).padStart(6, '0')

async function finish(visitor: Visitor, verified: Page, password = newPassword): Promise<Page> {
  site.secrets.add(password)
  const reset = await visitor.follow(verified)
  return visitor.post(route, { password, csrf: reset.field('csrf') })
}

describe('a code', () => {
  it('goes from the page to the mail and back to a new password', async () => {
    const { visitor, sent, mail, code, reference } = await ask()
    expect(sent.step).toBe('sent')
    expect(sent.body).toContain('autocomplete="one-time-code"')
    expect(mail?.mail.subject).toContain(reference)
    expect(mail?.mail.html).toContain(`>${code}<`)
    const verified = await visitor.post(route, { code })
    expect([verified.status, verified.headers.get('location')]).toEqual([
      303,
      `${route}?step=reset`,
    ])
    const done = await finish(visitor, verified)
    expect([done.status, done.headers.get('location')]).toEqual([303, `${route}?step=done`])
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
    expect((await site.smtp.to(alice.email, 2))[1]?.mail.subject).toContain('was changed')
  })

  it('comes alone where links are off, and with the link where both are on', async () => {
    const both = await ask()
    expect(both.mail?.mail.html).toContain('?token=')
    await site.stop()
    await start({ methods: ['code'] })
    const { visitor, mail, code } = await ask()
    expect(`${mail?.mail.html}${mail?.mail.text}`).not.toContain('token=')
    expect((await finish(visitor, await visitor.post(route, { code }))).status).toBe(303)
  })

  it('is finished on another device with the reference, and no cookie', async () => {
    const { visitor: asking, mail, code, reference } = await ask()
    expect((await asking.get(`${route}?step=code`)).field('reference')).toBe(reference)
    const [url = ''] = /http:\S+step=code\S+/.exec(mail?.mail.text ?? '') ?? []
    expect(url).not.toContain(code)
    const other = site.visitor()
    const page = await other.get(url)
    expect([page.status, page.step, page.field('reference')]).toEqual([200, 'code', reference])
    const typed = ` ${reference.toLowerCase().replace('-', '')} `
    const verified = await other.post(route, {
      code: `${code.slice(0, 3)} ${code.slice(3)}`,
      reference: typed,
    })
    expect((await finish(other, verified)).status).toBe(303)
  })

  it('that is mistyped is asked for again beside its reference; one that is locked leaves the link', async () => {
    const { visitor, sent, code } = await ask()
    for (const [typed, reason] of [
      ['12345', 'code-malformed'],
      [wrong(code), 'code-wrong'],
    ] as const) {
      const page = await visitor.post(route, { code: typed })
      expect([page.status, page.step, page.reason]).toEqual([400, 'sent', reason])
      expect(page.reference).toBe(sent.reference)
    }
    for (let each = 0; each < 3; each += 1) await visitor.post(route, { code: wrong(code) })
    const locked = await visitor.post(route, { code: wrong(code) })
    expect([locked.status, locked.step, locked.reason]).toEqual([429, 'error', 'code-locked'])
    expect(locked.body).toContain('A link that we’ve sent you goes on working.')
  })

  it('of which a hundred are tried at once is compared five times', async () => {
    const { visitor, code, mail } = await ask()
    const guesses = Array.from({ length: 99 }, (_, index) => wrong(code, index + 1))
    const pages = await Promise.all(guesses.map((guess) => visitor.post(route, { code: guess })))
    expect(pages.filter((page) => page.reason === 'code-wrong')).toHaveLength(4)
    expect(pages.filter((page) => page.reason === 'code-locked')).toHaveLength(95)
    expect((await visitor.post(route, { code })).reason).toBe('code-locked')
    expect(await site.rows('select code_tries, tries from password_reset')).toEqual([
      { code_tries: 5, tries: 5 },
    ])
    expect((await site.reset(linkIn(mail))).status).toBe(303)
  })

  it('that is new does not add to the day’s fifteen tries', async () => {
    const codes: string[] = []
    const visitor = site.visitor()
    for (let round = 0; round < 3; round += 1) {
      const { code } = await ask(alice.email, visitor)
      codes.push(code)
      for (let each = 0; each < 5; each += 1) await visitor.post(route, { code: wrong(code) })
    }
    expect(new Set(codes).size).toBe(3)
    const asked = await visitor.follow(await visitor.post(route, { email: alice.email }))
    expect(asked.body).toContain('name="code"')
    const page = await visitor.post(route, { code: codes[2] ?? '' })
    expect([page.status, page.reason]).toEqual([429, 'code-locked'])
    expect(page.body).toContain('no more codes can be tried today')
    expect(page.body).not.toContain('name="resend"')
    expect(Number(page.headers.get('retry-after'))).toBe(24 * 3600)
    // Whoever did that keeps nobody out: the mail has a link instead.
    const mail = (await site.smtp.to(alice.email, 4)).at(-1)
    expect(() => codeIn(mail)).toThrow('no code')
    expect((await site.visitor().get(linkIn(mail))).status).toBe(303)
    site.clock.move(hours(24) + seconds(1))
    const tomorrow = await ask(alice.email, visitor)
    expect((await visitor.post(route, { code: tomorrow.code })).status).toBe(303)
  })

  it('mailed again is the same in the first half of its life, and another one later', async () => {
    const first = await ask()
    site.clock.move(minutes(4))
    const second = await ask()
    expect([second.code, second.reference]).toEqual([first.code, first.reference])
    site.clock.move(minutes(2))
    const third = await ask()
    expect(third.code).not.toBe(first.code)
    expect(linkIn(third.mail)).toBe(linkIn(first.mail))
    expect((await first.visitor.post(route, { code: first.code })).reason).toBe('code-wrong')
    expect((await first.visitor.post(route, { code: third.code })).status).toBe(303)
  })

  it('without a cookie needs its reference, and one that there is', async () => {
    const page = await site.visitor().post(route, { code: '123456' })
    expect([page.status, page.step, page.reason]).toEqual([400, 'code', 'reference-missing'])
    const long = await site.visitor().post(route, { code: '123456654321' })
    expect([long.status, long.reason]).toEqual([400, 'code-malformed'])
    const blank = await site.visitor().post(route, { code: '123456', reference: ' ' })
    expect([blank.status, blank.reason]).toEqual([400, 'reference-missing'])
    const unknown = await site.visitor().post(route, { code: '123456', reference: 'AAAA-2222' })
    expect([unknown.status, unknown.reason]).toEqual([400, 'reference-unknown'])
    expect(unknown.field('reference')).toBe('AAAA-2222')
  })

  it('of an address without an account is wrong, even from who could derive it', async () => {
    const visitor = site.visitor()
    await visitor.follow(await visitor.post(route, { email: nobody }))
    const [row] = await site.rows<{ id: string; token_hash: string }>(
      'select id, token_hash from password_reset',
    )
    const source = { id: row?.id ?? '', tokenHash: row?.token_hash ?? '', generation: 1 }
    const code = codeOf(new KeyRing([secret]), source, 6) ?? ''
    expect(code).toMatch(/^\d{6}$/)
    const page = await visitor.post(route, { code })
    expect([page.status, page.reason]).toEqual([400, 'code-wrong'])
    expect(await site.rows('select tries from password_reset')).toEqual([{ tries: 1 }])
  })

  it('keeps a refused password’s proof in the form that is shown', async () => {
    const { code, reference } = await ask()
    const visitor = site.visitor()
    const page = await visitor.post(route, { reference, code, password: 'short' })
    expect([page.status, page.step, page.reason]).toEqual([400, 'reset', 'password-too-short'])
    const done = await visitor.post(route, { password: newPassword, csrf: page.field('csrf') })
    expect(done.status).toBe(303)
  })

  it('dies with a change of the account', async () => {
    const { visitor, code } = await ask()
    site.database.exec("update members set pw_hash = 'changed' where member_no = 1")
    const page = await visitor.post(route, { code })
    expect([page.status, page.reason]).toEqual([404, 'link-invalid'])
  })
})

it('alone comes with a link instead while the day’s tries are spent', async () => {
  await site.stop()
  await start({ methods: ['code'], dailyTries: 5 })
  const { visitor, code } = await ask()
  for (let each = 0; each < 5; each += 1) await visitor.post(route, { code: wrong(code) })
  await site.visitor().post(route, { email: alice.email })
  const mail = (await site.smtp.to(alice.email, 2)).at(-1)
  expect(mail?.mail.subject).toContain('Reset your')
  expect((await site.reset(linkIn(mail))).status).toBe(303)
  expect(site.hasPassword(alice.email, newPassword)).toBe(true)
})

it('alone is given up once it has ended, and the owner is told', async () => {
  await site.stop()
  await start({ methods: ['code'] })
  await site.smtp.stop()
  await site.visitor().post(route, { email: alice.email })
  await eventually(
    async () => (await site.rows('select * from mail_job where last_error is not null')).length > 0,
  )
  site.clock.move(minutes(11))
  await eventually(() => site.logLines.some((line) => line.includes('it would come too late')))
  await site.smtp.listen()
  expect(await site.rows("select * from mail_job where state = 'dead'")).toHaveLength(1)
  expect(site.smtp.mails).toEqual([])
})

it('tells nobody but its holder that its recovery is over', async () => {
  const used = await ask()
  await site.reset(linkIn(used.mail))
  const unknown = site.visitor()
  const sent = await unknown.follow(await unknown.post(route, { email: nobody }))
  const said = async (reference: string) => {
    const pages = []
    for (let each = 0; each < 5; each += 1) {
      pages.push(await site.visitor().post(route, { reference, code: wrong(used.code) }))
    }
    return pages.map((page) => [page.status, page.reason])
  }
  expect(await said(used.reference)).toEqual(await said(sent.reference))
})

it('is found by its page after its account has changed and was mailed anew', async () => {
  const { visitor } = await ask()
  site.database.exec("update members set pw_hash = 'changed' where member_no = 1")
  const { code } = await ask(alice.email, visitor)
  expect((await visitor.post(route, { code })).status).toBe(303)
})

it('cannot be switched off for everybody by one client, whose guesses end at its own limit', async () => {
  await site.stop()
  site = await Site.start({
    server: { trustProxy: '127.0.0.1' },
    recovery: { methods: ['link', 'code'] },
    limits: { wrongCodes: '8/1h', badProofs: '3/15m' },
  })
  const guesser = { 'x-forwarded-for': '192.0.2.1' }
  const reasons: string[] = []
  for (let each = 0; each < 12; each += 1) {
    const visitor = site.visitor()
    await visitor.post(route, { email: `p${each}@site.example` })
    reasons.push((await visitor.post(route, { code: '000000' }, guesser)).reason)
  }
  expect(reasons.filter((reason) => reason === 'code-wrong')).toHaveLength(3)
  const { visitor, code } = await ask()
  expect((await visitor.post(route, { code }, guesser)).reason).toBe('too-many-requests')
  expect((await visitor.post(route, { code })).status).toBe(303)
})

it('is not compared while codes are guessed all over the site, and links go on', async () => {
  await site.stop()
  site = await Site.start({
    recovery: { methods: ['link', 'code'] },
    limits: { wrongCodes: '3/1h' },
  })
  for (const email of [nobody, bob.email, 'other@site.example']) {
    const visitor = site.visitor()
    await visitor.post(route, { email })
    expect((await visitor.post(route, { code: '000000' })).reason).toBe('code-wrong')
  }
  const { visitor, code, mail } = await ask()
  const page = await visitor.post(route, { code })
  expect([page.status, page.step, page.reason]).toEqual([503, 'error', 'codes-off'])
  expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(3000)
  expect(page.body).toContain('60 minutes')
  expect((await site.reset(linkIn(mail))).status).toBe(303)
})

it('has no codes where they are off', async () => {
  await site.stop()
  await start({ methods: ['link'] })
  const visitor = site.visitor()
  const sent = await visitor.follow(await visitor.post(route, { email: alice.email }))
  expect(sent.body).not.toContain('name="code"')
  expect((await visitor.get(`${route}?step=code`)).headers.get('location')).toBe(route)
  expect((await visitor.post(route, { code: '123456' })).status).toBe(400)
  const [mail] = await site.smtp.to(alice.email)
  expect(() => codeIn(mail)).toThrow('no code')
})
