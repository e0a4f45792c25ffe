import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lists, newPassword, oldPassword, Site } from '../support/site.ts'
import {
  endWithOrdinaryReset,
  expectOrdinaryReset,
  formats,
  json,
  mailedToken,
  newAccount,
} from './support.ts'

/** With bcrypt, which is the default. */
let site: Site
/** With a hash that reads every byte of a password. */
let wide: Site
/** That asks for the password twice. */
let twice: Site
beforeAll(async () => {
  site = await Site.start({ password: lists })
  wide = await Site.start({ password: { hash: 'argon2id' } })
  twice = await Site.start({ password: { confirm: true } })
})
afterAll(async () => {
  for (const each of [site, wide, twice]) await each.stop()
})
endWithOrdinaryReset(() => site)

const words = 'seven little words that nobody else has chosen for this very account, '.repeat(3)

describe.each(formats)('by $name', (format) => {
  const { post, changed, reason } = format

  const open = async (on: Site) => {
    const { email } = newAccount(on)
    return { email, token: await mailedToken(on, email) }
  }

  it('I1 takes 15 to 128 characters, neither fewer nor more', async () => {
    for (const [length, refusal] of [
      [14, 'password-too-short'],
      [15, null],
      [64, null],
      [128, null],
      [129, 'password-too-long'],
    ] as const) {
      const { email, token } = await open(wide)
      const password = words.slice(0, length - 1).concat('.')
      const page = await post(wide.visitor(), { token, password })
      expect([length, page.status]).toEqual([length, refusal === null ? changed : 400])
      if (refusal !== null) expect(reason(page)).toBe(refusal)
      expect(wide.hasPassword(email, password)).toBe(refusal === null)
    }
    await expectOrdinaryReset(wide)
  })

  it('I2 asks for no kind of character', async () => {
    for (const password of [
      'correct horse battery',
      'allinlowercasewithoutablank',
      'a b c d e f g h',
      'пароль из нескольких слов',
      '283745109283746 8',
      'รหัสผ่านใหม่ของฉันเอง',
    ]) {
      const { email, token } = await open(site)
      const page = await post(site.visitor(), { token, password })
      expect([password, page.status]).toEqual([password, changed])
      expect(site.hasPassword(email, password)).toBe(true)
    }
  })

  it('I3 refuses what is guessed first, says why, and keeps the token', async () => {
    const { email, token } = await open(site)
    const visitor = site.visitor()
    for (const [password, why, guidance] of [
      ['passwordpassword', 'password-common', 'too easy to guess'],
      ['1qaz2wsx3edc4rfv', 'password-common', 'too easy to guess'],
      ['MailCreated5240', 'password-common', 'too easy to guess'],
      ['123456789987654321', 'password-common', 'too easy to guess'],
      ['aaaaaaaaaaaaaaaaaaaa', 'password-common', 'too easy to guess'],
      ['Riverside Riverside', 'password-contains-site', 'name of this site'],
      ['we love riverside books', 'password-contains-site', 'name of this site'],
      [email, 'password-contains-email', 'your email address'],
      [`my ${email.toUpperCase()}!`, 'password-contains-email', 'your email address'],
      [`${email.split('@')[0]}-2026`, 'password-contains-email', 'your email address'],
    ] as const) {
      const page = await post(visitor, { token, password })
      expect([password, page.status, reason(page)]).toEqual([password, 400, why])
      expect(page.body).toContain(guidance)
    }
    expect(site.hasPassword(email, oldPassword)).toBe(true)
    expect((await post(visitor, { token, password: newPassword })).status).toBe(changed)
  })

  it('I5 signs in with the very same text alone', async () => {
    for (const [password, other] of [
      [' correct horse battery', 'correct horse battery'],
      ['correct horse battery ', 'correct horse battery'],
      ['correct  horse battery', 'correct horse battery'],
      ['correct Horse battery', 'correct horse battery'],
      ['correct hÄrse battery', 'correct hArse battery'],
      ['correct+horse+battery', 'correct horse battery'],
      ['correct <horse> & battery', 'correct &lt;horse&gt; &amp; battery'],
      ['correct ｈorse battery', 'correct horse battery'],
    ] as const) {
      const { email, token } = await open(site)
      expect((await post(site.visitor(), { token, password })).status).toBe(changed)
      expect([password, site.hasPassword(email, password)]).toEqual([password, true])
      const near = [other, password.trim(), password.toUpperCase(), password.toLowerCase()]
      for (const each of near.filter((text) => text !== password))
        expect([each, site.hasPassword(email, each)]).toEqual([each, false])
    }
  })

  it('I6 never takes a password of which bcrypt would ignore the end', async () => {
    for (const password of [
      words.slice(0, 73),
      'съешь ещё этих мягких французских булок да',
      '🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧🐦🐤🦉🐺🐗🐴🦄',
    ]) {
      const { email, token } = await open(site)
      expect(Buffer.byteLength(password)).toBeGreaterThan(72)
      const page = await post(site.visitor(), { token, password })
      expect([page.status, reason(page)]).toEqual([400, 'password-too-many-bytes'])
      const whole = words.slice(0, 72)
      expect((await post(site.visitor(), { token, password: whole })).status).toBe(changed)
      expect(site.hasPassword(email, whole)).toBe(true)
      expect(site.hasPassword(email, whole.slice(0, 71))).toBe(false)
    }
  })

  it('I9 refuses a confirmation that is not the same one text, and keeps the token', async () => {
    const { email, token } = await open(twice)
    const visitor = twice.visitor()
    const texts = [
      {},
      { confirm: '' },
      { confirm: `${newPassword}!` },
      { confirm: newPassword.toUpperCase() },
      { confirm: [newPassword, newPassword] },
    ]
    const others = [
      { confirm: [newPassword] },
      { confirm: true },
      { confirm: { toString: newPassword } },
    ]
    for (const confirmation of format === json ? [...texts, ...others] : texts) {
      const page = await post(visitor, { token, password: newPassword, ...confirmation })
      const seen = [confirmation, page.status, reason(page)]
      expect(seen).toEqual([confirmation, 400, 'password-mismatch'])
      // It is said at the field itself.
      if (format === json) expect(page.json['fields']).toMatchObject([{ field: 'confirm' }])
      else expect(page.body).toContain('id="confirm-problem"')
    }
    expect(twice.hasPassword(email, oldPassword)).toBe(true)
    const both = { token, password: newPassword, confirm: newPassword }
    expect((await post(visitor, both)).status).toBe(changed)
    expect(twice.hasPassword(email, newPassword)).toBe(true)
  })

  it('I9 compares the two as they are hashed', async () => {
    const { email, token } = await open(twice)
    const password = 'une phrase secrète à retenir'
    const fields = { token, password: password.normalize('NFD'), confirm: password }
    expect((await post(twice.visitor(), fields)).status).toBe(changed)
    expect(twice.hasPassword(email, password)).toBe(true)
  })
})

it.each([
  ['once', () => site, ['password']],
  ['twice', () => twice, ['password', 'confirm']],
] as const)(
  'I13 has fields for a new password, asked for %s, that managers can fill',
  async (_, on, names) => {
    const visitor = on().visitor()
    const link = await on().mailedLink(newAccount(on()).email)
    const form = await visitor.follow(await visitor.get(link))
    const inputs = [...form.body.matchAll(/<input [^>]*type="password"[^>]*>/g)].map(([tag]) => tag)
    expect(inputs.map((tag) => /name="(\w+)"/.exec(tag)?.[1])).toEqual(names)
    for (const tag of inputs) {
      expect(tag).toContain('autocomplete="new-password"')
      expect(tag).toContain('passwordrules="minlength: 15; maxlength: 72; allowed: unicode"')
      expect(tag).not.toMatch(/\s(?:maxlength|minlength|pattern|readonly|on\w+)=/)
    }
    expect(form.body).toMatch(/id="username"[^>]*autocomplete="username"[^>]*readonly/)
    expect(form.body).toContain('At least 15 characters')
    // The button that shows them waits for its script, and the policy allows that of this site alone.
    const buttons = [...form.body.matchAll(/<button class="show"[^>]*>/g)].map(([tag]) => tag)
    expect(buttons).toHaveLength(names.length)
    for (const tag of buttons) expect(tag).toMatch(/ type="button" hidden /)
    expect(form.body).not.toMatch(/\son\w+=|\sstyle=|<script>|javascript:/)
    expect(form.headers.get('content-security-policy')).toContain("script-src 'self';")
  },
)
