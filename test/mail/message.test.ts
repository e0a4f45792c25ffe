import { readdirSync } from 'node:fs'
import { HtmlValidate } from 'html-validate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accounts, newPassword, route, Site } from '../support/site.ts'
import { linkIn, type Received } from '../support/smtp.ts'

const tags = readdirSync('locales').map((file) => file.replace('.yaml', ''))
const people = Object.values(accounts).filter((account) => account.active)

/** The mails of one language, as they arrived: the link and the notice. */
const mails = new Map<string, { link: Received; changed: Received }>()
let site: Site

beforeAll(async () => {
  site = await Site.start({ site: { supportUrl: '/help' } })
  for (const { email, language } of people) {
    const visitor = site.visitor()
    await visitor.post(route, { email, lang: 'en' })
    const [link] = await site.smtp.to(email)
    await site.reset(linkIn(link), newPassword, visitor)
    const [, changed] = await site.smtp.to(email, 2)
    if (link && changed) mails.set(language, { link, changed })
  }
})
afterAll(() => site.stop())

const validator = new HtmlValidate({
  extends: ['html-validate:standard'],
  rules: {
    // What browsers do without, mail programs need: tables, inline styles, old attributes.
    'no-inline-style': 'off',
    'no-deprecated-attr': 'off',
    'attribute-boolean-style': 'off',
    'no-implicit-close': 'off',
    'long-title': 'off',
    'prefer-native-element': 'off',
    'no-style-tag': 'off',
    'require-sri': 'off',
    'tel-non-breaking': 'off',
  },
})

it('is tried in every language there is', () => {
  expect([...mails.keys()].sort()).toEqual(tags)
})

describe.each(tags)('mails in %s', (tag) => {
  const both = () => Object.entries(mails.get(tag) ?? {})

  it('go to one recipient, from the configured sender', () => {
    const { email } = people.find((person) => person.language === tag) ?? { email: '' }
    for (const [, { recipients, envelopeFrom, mail, raw }] of both()) {
      expect(recipients).toEqual([email])
      expect(envelopeFrom).toBe('library@site.example')
      expect(mail.from).toEqual({ name: 'Riverside Library', address: 'library@site.example' })
      expect(raw).not.toMatch(/^(?:bcc|cc):/im)
    }
  })

  it('say that a machine sent them, and in which language', () => {
    for (const [, { mail, raw }] of both()) {
      const header = (key: string) => mail.headers.find((each) => each.key === key)?.value
      expect(header('auto-submitted')).toBe('auto-generated')
      expect(header('x-auto-response-suppress')).toBe('All')
      expect(header('content-language')).toBe(tag)
      expect(mail.messageId).toMatch(/^<[\w-]{22}@site\.example>$/)
      expect(mail.date).toBeTruthy()
      expect(header('content-type')).toMatch(/^multipart\/alternative/)
      expect(Math.max(...raw.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998)
    }
  })

  it('show the same in text and in HTML', () => {
    for (const [kind, { mail }] of both()) {
      const text = mail.text ?? ''
      const links = [...(mail.html ?? '').matchAll(/href="([^"]+)"/g)].map(([, href]) => href)
      for (const href of links) expect(text).toContain(href)
      // Alone on its line, so that no mail program takes a full stop for a part of it.
      expect(text.split('\n')).toContain(links[0])
      expect(text).toContain(kind === 'link' ? route : `${site.url}/help`)
      expect(mail.html).toContain(
        /[A-Z][2-9A-Z]{3}-[2-9A-Z]{4}/.exec(mail.subject ?? '')?.[0] ?? 'no reference',
      )
      for (const line of text.split('\n')) {
        expect(line.length > 76 && !/^<?http/.test(line) ? line : '').toBe('')
      }
      expect(text).not.toMatch(/undefined|\[object|<(?!http)[a-z]|&\w+;/)
    }
  })

  it('are valid, small, and load nothing', () => {
    for (const [, { mail }] of both()) {
      const html = mail.html ?? ''
      expect(Buffer.byteLength(html)).toBeLessThanOrEqual(6144)
      expect(html).not.toMatch(/<(?:img|script|link|form|iframe)|url\(|@import/i)
      const report = validator.validateStringSync(html)
      expect(
        report.results.flatMap((result) =>
          result.messages.map((each) => `${each.ruleId}: ${each.message}`),
        ),
      ).toEqual([])
    }
  })

  it('state their direction where mail programs keep it', () => {
    const dir = new Intl.Locale(tag).getTextInfo().direction
    for (const [, { mail }] of both()) {
      expect(mail.html).toContain(`<html lang="${tag}" dir="${dir}">`)
      expect(mail.html).toMatch(new RegExp(`<div role="article"[^>]* lang="${tag}" dir="${dir}">`))
    }
  })

  it('leave nothing in English', () => {
    if (tag === 'en') return
    for (const [, { mail }] of both()) {
      const words = `${mail.subject} ${mail.text}`.match(
        /\b(?:the|your|password|link|reset|hello|if|was|you)\b/gi,
      )
      expect(words?.filter((word) => word !== 'password') ?? []).toEqual([])
    }
  })
})

it('tells when the link expires, in words and as a time', () => {
  const text = mails.get('en')?.link.mail.text ?? ''
  expect(text).toContain('in 60 minutes')
  expect(text).toMatch(/\w+ \d+, \d{4} at \d+:\d\d\s[AP]M UTC/)
})

it('holds no password and no link that signs in, once the password is changed', () => {
  for (const { changed } of mails.values()) {
    expect(changed.raw).not.toContain('token')
    expect(changed.mail.text).not.toContain(newPassword)
  }
})
