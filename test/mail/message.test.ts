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

  it('are valid and small', () => {
    for (const [, { mail }] of both()) {
      const html = mail.html ?? ''
      expect(Buffer.byteLength(html)).toBeLessThanOrEqual(6144)
      const report = validator.validateStringSync(html)
      expect(
        report.results.flatMap((result) =>
          result.messages.map((each) => `${each.ruleId}: ${each.message}`),
        ),
      ).toEqual([])
    }
  })
})
