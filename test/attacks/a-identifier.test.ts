import { describe, expect, it } from 'vitest'
import { takes } from '../support/login.ts'
import { newPassword, oldPassword } from '../support/site.ts'
import { ask, Client, outcome } from './client.ts'
import {
  attackedSite,
  type Format,
  form,
  formats,
  json,
  newAccount,
  newAddress,
  watchMail,
} from './support.ts'

const site = attackedSite()
const evil = 'evil@evil.example'

/** Sends it, and is told what is wrong: nobody gets a mail, and only the field shows what was typed. */
async function expectRefused(client: Client, body: object | string, reason: string): Promise<void> {
  const sent = JSON.stringify(body)
  const mails = await watchMail(site())
  const page = await client.post(body)
  expect(outcome(page), sent).toBe(`400 ${reason}`)
  expect(page.body.replaceAll(/ value="[^"]*"/g, ''), sent).not.toContain('evil')
  expect(await mails(), sent).toEqual([])
}

/** Sends each of them, and is answered as ever: these addresses get a mail each, and nobody else does. */
async function expectMailed(
  format: Format,
  typed: readonly string[],
  recipients: readonly string[],
) {
  const mails = await watchMail(site())
  for (const email of typed) {
    expect(outcome(await new Client(site(), format).post({ email })), email).toBe('sent')
  }
  expect((await mails()).map((mail) => mail.recipients)).toEqual(recipients.map((each) => [each]))
}

it('A1 refuses a JSON list or object where one address belongs', async () => {
  const { email } = newAccount(site())
  for (const value of [
    [email, evil],
    [evil, email],
    [email],
    [[email, evil]],
    { 0: email, 1: evil, length: 2 },
    { address: email },
  ]) {
    await expectRefused(new Client(site(), json), { email: value }, 'email-missing')
  }
})

it('A2 refuses a form that has the address twice', async () => {
  const { email } = newAccount(site())
  for (const body of [
    `email=${email}&email=${evil}`,
    `email=${evil}&email=${email}`,
    `email=${email}&email=${email}`,
    `email=${email}&lang=en&%65mail=${evil}`,
  ]) {
    await expectRefused(new Client(site(), form), body, 'email-missing')
  }
})

it('A2 refuses JSON that has the address twice', async () => {
  const { email } = newAccount(site())
  for (const body of [
    `{"email":"${email}","email":"${evil}"}`,
    `{"email":"${evil}","email":"${email}"}`,
    `{"email":"${email}","lang":"en","\\u0065mail":"${evil}"}`,
  ]) {
    await expectRefused(new Client(site(), json), body, 'bad-request')
  }
})

describe.each(formats)('by $name', (format) => {
  const client = () => new Client(site(), format)

  it('A2 takes the address from the body, whatever the query says', async () => {
    const [{ email }, other] = [newAccount(site()), newAccount(site())]
    const mails = await watchMail(site())
    const query = `?email=${other.email}&email=${evil}`
    expect(outcome(await client().post({ email }, { query }))).toBe('sent')
    expect((await mails()).map((mail) => mail.recipients)).toEqual([[email]])
  })

  it('A4 takes two addresses for none, whatever stands between them', async () => {
    const { email } = newAccount(site())
    const separators = [',', ', ', ';', ' ', '|', '\t', '\n', '\r\n', '\r\nBcc: ', '\r\nRCPT TO:']
    for (const between of [...separators, ' email=', '&email=', '%2c', '%0a', '\0', '\u2028']) {
      for (const typed of [`${email}${between}${evil}`, `${evil}${between}${email}`]) {
        await expectRefused(client(), { email: typed }, 'email-invalid')
      }
    }
  })

  it('A6 takes an address with names, comments, groups, quotes or routes for none', async () => {
    const { email } = newAccount(site())
    const [local, domain] = email.split('@')
    for (const typed of [
      `Alice <${email}>`,
      `<${email}>`,
      `<${evil}>${email}`,
      `${email}<${evil}>`,
      `${email} (${evil})`,
      `${local}(${evil})@${domain}`,
      `grp: ${email}, ${evil};`,
      `"${evil},"${email}`,
      `"${evil}"@${domain}`,
      `"${local}"@${domain}`,
      `=?utf-8?q?${evil}=2C?= <${email}>`,
      `@evil.example:${email}`,
      `mailto:${email}?bcc=${evil}`,
    ]) {
      await expectRefused(client(), { email: typed }, 'email-invalid')
    }
  })

  it('A8 mails nobody for an address that only looks like an account’s', async () => {
    const { email } = newAccount(site(), { email: `mike.${newAddress()}` })
    const looks = [
      email.replace('i', 'ı'),
      email.replace('i', 'İ'),
      email.replace('k', '\u212a'),
      email.replace('m', 'ｍ'),
      email.replace('@s', '@ſ'),
      email.replace('@site', '@ѕite'),
      email.replace('e', 'e\u0301'),
    ]
    await expectMailed(format, [...looks, email.replace('mike', 'MIKE')], [email])
  })

  it('A8 never mails a look-alike that has an account for what was typed in ASCII', async () => {
    const { email } = newAccount(site(), { email: `mike.${newAddress()}` })
    newAccount(site(), { email: email.replace('k', '\u212a') })
    newAccount(site(), { email: email.replace('i', 'ı') })
    await expectMailed(format, [email, email.toUpperCase()], [email, email])
  })

  it('A11 mails the stored spelling, in whatever case an address is typed', async () => {
    const { email } = newAccount(site(), { email: `Alice.${newAddress()}` })
    const typed = [email, email.toLowerCase(), email.toUpperCase()]
    await expectMailed(format, typed, [email, email, email])
  })

  it('A11 mails the one of two accounts that is spelt so, neither for a third spelling, and one at a time', async () => {
    const upper = newAccount(site(), { email: `Bob.${newAddress()}` })
    const lower = newAccount(site(), { email: upper.email.toLowerCase() })
    const one = await ask(site(), upper.email, client())
    const other = await ask(site(), lower.email, client())
    expect(other.link).not.toBe(one.link)
    await expectMailed(format, [upper.email.toUpperCase()], [])
    // Accounts whose addresses differ in case alone have one recovery between them.
    expect(outcome(await one.client.open(one.link))).toBe('410 link-replaced')
    expect(outcome(await other.client.open(other.link))).toBe('reset')
    expect(outcome(await other.client.change(newPassword))).toBe('done')
    expect(site().hasPassword(lower.email, newPassword)).toBe(true)
    expect(site().hasPassword(upper.email, oldPassword)).toBe(true)
  })

  it('A13 drops the ASCII blanks around an address', async () => {
    const { email } = newAccount(site())
    const typed = [` ${email} `, `\t${email}`, `${email}\r\n`, ` \n ${email}\n`]
    await expectMailed(format, typed, [email, email, email, email])
  })

  it('A13 takes an address with NUL, or with what cannot be seen, for none', async () => {
    const { email } = newAccount(site())
    for (const typed of [
      `${email}\0`,
      `\0${email}`,
      email.replace('@', '\0@'),
      email.replace('@', '@\0'),
      `${email}\u200b`,
      email.replace('@', '\u200d@'),
      `\ufeff${email}`,
      email.replace('@', '\u00ad@'),
      `${email}\u00a0`,
      `\u202e${email}`,
      `\u001b[2J${email}`,
    ]) {
      await expectRefused(client(), { email: typed }, 'email-invalid')
    }
  })

  it('A15 mails nobody for an address that two accounts have, and answers as ever', async () => {
    const { email } = newAccount(site())
    newAccount(site(), { email })
    await expectMailed(format, [email, email.toUpperCase()], [])
  })

  it('A15 changes the one account that a link names, when another has its address by then', async () => {
    const named = newAccount(site())
    const asked = await ask(site(), named.email, client())
    newAccount(site(), { email: named.email })
    expect(outcome(await asked.client.open(asked.link))).toBe('reset')
    expect(outcome(await asked.client.change(newPassword))).toBe('done')
    const hashes = site()
      .database.prepare('select pw_hash from members where mail = ? order by member_no')
      .pluck()
      .all(named.email) as string[]
    const passwords = [newPassword, oldPassword]
    expect(hashes.map((hash, index) => takes(hash, passwords[index] ?? ''))).toEqual([true, true])
  })

  it('A16 mails an address as long as addresses get, and takes one octet more for none', async () => {
    const start = format === form ? 'form' : 'json'
    for (const [longest, longer] of [
      [withLocal(start.padEnd(64, 'a')), withLocal(start.padEnd(65, 'a'))],
      [withLocal(`${start}${'é'.repeat(30)}`), withLocal(`${start}x${'é'.repeat(30)}`)],
      [withLabels(start, 63), withLabels(start, 64)],
    ] as const) {
      newAccount(site(), { email: longest })
      await expectMailed(format, [longest], [longest])
      await expectRefused(client(), { email: longer }, 'email-invalid')
    }
    const local = start.padEnd(64, 'a')
    expect(outcome(await client().post({ email: withLabels(local, 63, 63, 61) }))).toBe('sent')
    await expectRefused(client(), { email: withLabels(local, 63, 63, 62) }, 'email-invalid')
  })

  it('A16 takes what is no address for none, and an empty one for empty', async () => {
    const shapes = ['a', '@', 'a@b', '@x.example', 'a@@x.example', 'a@x@x.example', 'a@x..example']
    const hosts = ['a@.example', 'a@x.example.', 'a@-x.example', 'a@127.0.0.1', 'a@[127.0.0.1]']
    const endless = [withLocal('a'.repeat(10_000)), `a@${'x.'.repeat(5000)}example`]
    for (const email of [...shapes, ...hosts, ...endless, '.a@x.example', 'a..b@x.example']) {
      await expectRefused(client(), { email }, 'email-invalid')
    }
    for (const email of ['', '  ']) await expectRefused(client(), { email }, 'email-missing')
  })
})

function withLocal(local: string): string {
  return `${local}@site.example`
}

/** An address whose host has labels of these lengths; the last is its top level, if there is more than one. */
function withLabels(local: string, ...lengths: readonly number[]): string {
  const labels = lengths.map((length) => 'b'.repeat(length))
  return `${local}@${(labels.length === 1 ? [...labels, 'example'] : labels).join('.')}`
}
