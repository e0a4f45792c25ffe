import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { minutes } from '../support/clock.ts'
import { tags } from '../support/languages.ts'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import { codeIn, type Received } from '../support/smtp.ts'
import { collectMails, kindsOf, type Mails } from './mails.ts'
import { endWithOrdinaryReset, newAccount, newAddress, settled } from './support.ts'

const zone = process.env['TZ']
let site: Site
let all: ReadonlyMap<string, Mails>
beforeAll(async () => {
  // The server's own time zone is nobody else's.
  process.env['TZ'] = 'Pacific/Kiritimati'
  const poison = {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    forwarded: 'host=evil.example;proto=https',
    referer: 'https://evil.example/',
    'x-original-url': 'https://evil.example/',
  }
  const collected = await collectMails(poison)
  site = collected.site
  all = collected.mails
})
afterAll(async () => {
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
  await site.stop()
})
endWithOrdinaryReset(() => site)

const mailsIn = (tag: string): Mails => {
  const mails = all.get(tag)
  if (mails === undefined) throw new Error(`There are no mails in ${tag}`)
  return mails
}
const headerOf = ({ mail }: Received, name: string) =>
  mail.headers.filter(({ key }) => key === name).map(({ value }) => value)
const plain = (text = '') => text.replaceAll(/\s+/g, ' ')

it('L1 every mail has one recipient, which is the stored address, and the configured sender', () => {
  const stored = site.database.prepare('select mail from members').pluck().all()
  expect(site.smtp.mails.length).toBeGreaterThanOrEqual(3 * tags.length)
  for (const { recipients, envelopeFrom, mail, raw } of site.smtp.mails) {
    expect(recipients).toHaveLength(1)
    expect(stored).toContain(recipients[0])
    expect(mail.to?.map(({ address }) => address)).toEqual(recipients)
    expect(envelopeFrom).toBe('library@site.example')
    expect(mail.from).toEqual({ name: 'Riverside Library', address: 'library@site.example' })
    expect(raw).not.toMatch(/^(?:bcc|cc|sender|return-path|resent-\w+|disposition-\w+):/im)
    expect(raw).not.toContain('evil')
  }
})

it('L1 nobody is mailed for an address that no account has', async () => {
  const [unknown, known] = [newAddress(), newAccount(site).email]
  await site.visitor().post(route, { email: unknown })
  await site.mailedLink(known)
  await settled(site)
  expect(site.smtp.mails.filter(({ recipients }) => recipients.includes(unknown))).toEqual([])
})

describe.each(tags)('in %s', (tag) => {
  it('L2 a mail says that a machine sent it, in which language, and is what every program can read', () => {
    for (const [kind, received] of kindsOf(mailsIn(tag))) {
      const { mail, raw } = received
      expect([kind, headerOf(received, 'auto-submitted')]).toEqual([kind, ['auto-generated']])
      expect(headerOf(received, 'x-auto-response-suppress')).toEqual(['All'])
      expect(headerOf(received, 'content-language')).toEqual([tag])
      expect(headerOf(received, 'mime-version')).toEqual(['1.0'])
      expect(headerOf(received, 'content-type')[0]).toMatch(/^multipart\/alternative;/)
      expect(headerOf(received, 'message-id')[0]).toMatch(/^<[\w-]{31}@site\.example>$/)
      expect(Number.isNaN(Date.parse(headerOf(received, 'date')[0] ?? ''))).toBe(false)
      for (const name of ['message-id', 'date', 'from', 'to', 'subject'])
        expect(headerOf(received, name)).toHaveLength(1)
      expect(Math.max(...raw.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998)
      expect(raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
      // RFC 2047: a header is ASCII, whatever its text.
      const [head = '', ...parts] = raw.split('\r\n\r\n')
      expect(head).toMatch(/^[\x20-\x7e\r\n\t]*$/)
      const subject = /^Subject: (.*(?:\r\n[ \t].*)*)/m.exec(head)?.[1] ?? ''
      expect(/=\?UTF-8\?[BQ]\?/i.test(subject)).toBe(/[^\x20-\x7e]/.test(mail.subject ?? ''))
      const body = parts.join('\r\n\r\n')
      expect(body.indexOf('text/html')).toBeGreaterThan(-1)
      expect(`${head}${body}`.indexOf('text/plain')).toBeLessThan(raw.indexOf('text/html'))
      expect([mail.text?.trim(), mail.html?.trim()]).not.toContain('')
    }
  })

  it('L5 the notice tells the owner of the account, and holds nothing that changes a password', async () => {
    const { to, changed } = mailsIn(tag)
    expect(changed.recipients).toEqual([to])
    const said = `${changed.raw}\n${changed.mail.html}\n${changed.mail.text}`
    expect(said).not.toContain(newPassword)
    expect(said).not.toContain(oldPassword)
    expect(said).not.toMatch(/token=|code=/)
    expect(changed.mail.text).toContain(to)
    // What to do if it was somebody else: here, or with a person.
    expect(changed.mail.text).toContain(`${site.url}${route}`)
    expect(changed.mail.text).toContain(`${site.url}/help`)
    const secrets = new Set(changed.mail.text?.match(/(?<![\w-])[\w-]{43}(?![\w-])/g))
    for (const secret of secrets) {
      const page = await site.visitor().get(`${route}?token=${secret}`)
      expect([page.status, page.reason]).toEqual([404, 'link-invalid'])
    }
  })

  it('L8 a mail says when its secret ends, in words and in UTC', () => {
    const { link, code } = mailsIn(tag)
    const relative = new Intl.RelativeTimeFormat(tag, { numeric: 'always' })
    const time = new Intl.DateTimeFormat(tag, {
      hour: 'numeric',
      minute: '2-digit',
      timeZone: 'UTC',
      timeZoneName: 'short',
    })
    const now = site.clock.now()
    const end = (lifetime: number) => [
      plain(relative.format(lifetime, 'minute')),
      plain(time.format(now + minutes(lifetime))),
    ]
    for (const text of end(60)) expect(plain(link.mail.text)).toContain(text)
    for (const text of [...end(60), ...end(10)]) expect(plain(code.mail.text)).toContain(text)
  })

  it('L8 a mail is in one language, with no key and no gap', () => {
    for (const [kind, { mail }] of kindsOf(mailsIn(tag))) {
      const text = plain(`${mail.subject} ${mail.text}`)
      expect([kind, text.match(/\bundefined\b|\[object|\{\w+\}|<%|&\w+;/g)]).toEqual([kind, null])
      expect(text).not.toMatch(/\s(?:mail|sent|reset|reason|form|layout)\.[a-z_]/)
      if (tag === 'en') continue
      const words = text.match(/\b(?:the|your|hello|if|somebody|you)\b/gi)
      expect([kind, words]).toEqual([kind, null])
    }
  })

  it('L8 a page agrees with its numbers', async () => {
    const messages = parse(readFileSync(`locales/${tag}.yaml`, 'utf8'))
    const forms: Record<string, string> = messages.reason['code-wrong']
    const plurals = new Intl.PluralRules(tag)
    const visitor = site.visitor()
    const { email } = newAccount(site, { language: tag })
    await visitor.post(route, { email, lang: tag })
    const code = codeIn((await site.smtp.to(email))[0])
    site.secrets.add(code)
    for (const left of [4, 3, 2, 1]) {
      const page = await visitor.post(route, { code: code === '000000' ? '000001' : '000000' })
      const text = forms[plurals.select(left)] ?? forms['other'] ?? ''
      // As the language writes its numbers.
      const number = new Intl.NumberFormat(tag).format(left)
      expect(page.body).toContain(text.replace('{left}', number))
      const dir = new Intl.Locale(tag).getTextInfo().direction
      expect(page.body).toContain(`<html lang="${tag}" dir="${dir}">`)
    }
  })
})

describe('of a language that is not whole', () => {
  let own: Site
  beforeAll(async () => {
    own = await Site.start()
    await own.server?.close()
    const dir = join(own.folder, 'locales')
    mkdirSync(dir)
    writeFileSync(join(dir, 'cy.yaml'), 'form: { title: Cyfrinair newydd }')
    writeFileSync(join(dir, 'ur.yaml'), 'form: { title: نیا پاس ورڈ }')
    writeFileSync(join(dir, 'fr-CA.yaml'), 'form: { email: Courriel }')
    own.config = { ...own.config, locales: { dir } }
    await own.listen()
  })
  afterAll(() => own.stop())
  endWithOrdinaryReset(() => own)

  it.each([
    ['cy', 'ltr', 'Cyfrinair newydd', 'Email address', 'en'],
    ['ur', 'rtl', 'نیا پاس ورڈ', 'Email address', 'en'],
    ['fr-CA', 'ltr', 'Courriel', 'Envoyer le lien', 'fr'],
  ])(
    'L8 what is missing in %s comes from another, in pages and in mails',
    async (tag, dir, text, other, mailed) => {
      const page = await own.visitor().get(`${route}?lang=${tag}`)
      expect(page.body).toContain(`<html lang="${tag}" dir="${dir}">`)
      for (const each of [text, other]) expect(page.body).toContain(each)
      expect(page.body).not.toMatch(/>\s*(?:\w+\.)+[\w-]+\s*</)
      const { email } = newAccount(own, { language: tag })
      await own.visitor().post(route, { email, lang: tag })
      const [mail] = await own.smtp.to(email)
      expect(mail && headerOf(mail, 'content-language')).toEqual([mailed])
      expect(mail?.mail.html).toContain(`<html lang="${mailed}" dir="ltr">`)
    },
  )
})
