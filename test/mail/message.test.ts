import { HtmlValidate } from 'html-validate'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contrastRatio } from '../../src/colour.ts'
import { loadConfig } from '../../src/config/load.ts'
import { Locales } from '../../src/locale/locales.ts'
import type { Message } from '../../src/mail/mailer.ts'
import { compose, type MailData, mailKinds } from '../../src/mail/message.ts'
import { sampleMail } from '../../src/samples.ts'
import { Templates } from '../../src/templates.ts'
import { launch } from '../support/chromium.ts'
import { tags } from '../support/languages.ts'
import { newPassword, route, Site } from '../support/site.ts'
import { linkIn, type Received } from '../support/smtp.ts'

const templates = new Templates(null)

/** The mails of one language, as they arrived: the link and the notice. */
const arrived = new Map<string, { link: Received; changed: Received }>()
let site: Site
let browser: Browser
let page: Page

beforeAll(async () => {
  browser = await launch()
  page = await (await browser.newContext({ offline: true })).newPage()
  site = await Site.start({ site: { supportUrl: '/help' } })
  const insert = site.database.prepare('insert into members (mail, language) values (?, ?)')
  for (const tag of tags) insert.run(readerOf(tag), tag)
  await Promise.all(tags.map(recover))
})
afterAll(async () => {
  await browser.close()
  await site.stop()
})

/** An account whose language is stored with it. */
const readerOf = (tag: string) => `reader-${tag.toLowerCase()}@site.example`

async function recover(tag: string): Promise<void> {
  const email = readerOf(tag)
  const visitor = site.visitor()
  await visitor.post(route, { email, lang: 'en' })
  const [link] = await site.smtp.to(email)
  await site.reset(linkIn(link), newPassword, visitor)
  const [, changed] = await site.smtp.to(email, 2)
  if (link && changed) arrived.set(tag, { link, changed })
}

/** Every mail in one language, of a site whose name and addresses are long, with link and code. */
function composed(tag: string, accent = '#1d4ed8'): (Message & { kind: string; data: MailData })[] {
  const url = 'https://www.riverside-library.example'
  const config = loadConfig(
    {
      ...site.config,
      site: { name: 'Riverside Library', url, supportUrl: '/help' },
      recovery: { methods: ['link', 'code'] },
      theme: { accent },
    },
    { env: {} },
  )
  const locale = Locales.load(config.locales).choose([tag], '')
  return mailKinds.map((kind) => {
    const data = sampleMail(kind, locale, { config, clock: site.clock })
    const to = { id: 'sample', address: data.account }
    return { ...compose(templates, { kind, language: tag }, to, data), kind, data }
  })
}

const validator = new HtmlValidate({
  extends: ['html-validate:standard'],
  rules: {
    // What browsers do without, mail programs need: tables, inline styles, old attributes.
    'no-inline-style': 'off',
    'no-deprecated-attr': 'off',
    'no-conditional-comment': 'off',
    'attribute-boolean-style': 'off',
    'no-implicit-close': 'off',
    'long-title': 'off',
    'prefer-native-element': 'off',
    'no-style-tag': 'off',
    'require-sri': 'off',
    'tel-non-breaking': 'off',
  },
})

function expectValidAndSmall(name: string, html: string): void {
  const { results } = validator.validateStringSync(html)
  const messages = results.flatMap((result) => result.messages)
  expect([name, messages.map((each) => `${each.ruleId}: ${each.message}`)]).toEqual([name, []])
  expect(Buffer.byteLength(html), name).toBeLessThanOrEqual(6144)
}

/** What people see as one character. */
const characters = (text: string) => [...new Intl.Segmenter().segment(text)]

/** A text's width in columns: the vowels and tones of Thai stand above and below its letters. */
const columns = (text: string) => [...text.replaceAll(/\p{Mn}/gu, '')].length

it('arrives in the language of the account', () => {
  expect([...arrived.keys()].sort()).toEqual(tags)
  for (const [tag, { link }] of arrived) {
    expect(link.mail.headers.find(({ key }) => key === 'content-language')?.value).toBe(tag)
  }
})

describe.each(tags)('mails in %s', (tag) => {
  it('arrive as valid and small HTML, with the same in text', () => {
    for (const [kind, { mail }] of Object.entries(arrived.get(tag) ?? {})) {
      const [text = '', html = ''] = [mail.text, mail.html]
      expectValidAndSmall(kind, html)
      for (const [, href] of html.matchAll(/href="([^"]+)"/g)) expect(text).toContain(href)
      expect(text).toContain(kind === 'link' ? route : `${site.url}/help`)
      const [reference] = /[A-Z][2-9A-Z]{3}-[2-9A-Z]{4}/.exec(mail.subject ?? '') ?? []
      expect(html).toContain(reference ?? 'no reference')
      expect(text).not.toMatch(/undefined|\[object|<[a-z]|&\w+;/)
    }
  })

  it('are valid HTML of at most 6 KB, with link and code and long addresses', () => {
    for (const { kind, html } of composed(tag)) expectValidAndSmall(kind, html)
  })

  it('show 40 to 100 characters beside the subject, nothing after them, and no code', () => {
    for (const { kind, subject, html, data } of composed(tag)) {
      const [, shown = ''] = /<div style="display:none[^>]*>([^<]*)</.exec(html) ?? []
      const [, preheader = '', filler = ''] = /^(.*?)([\u034f\xa0]*)$/s.exec(shown) ?? []
      expect(characters(preheader).length, `${kind}: ${preheader}`).toBeGreaterThanOrEqual(40)
      expect(characters(preheader).length, `${kind}: ${preheader}`).toBeLessThanOrEqual(100)
      expect(filler.length).toBeGreaterThanOrEqual(100)
      // It would stand on the screen of a telephone that is locked.
      expect(`${subject} ${preheader}`).not.toContain(data.code ?? 'no code')
    }
  })

  it('have a title, one heading, their language within the body, and tables for layout alone', () => {
    const dir = new Intl.Locale(tag).getTextInfo().direction
    for (const { kind, subject, html } of composed(tag)) {
      expect(/<title>([^<]+)<\/title>/.exec(html)?.[1], kind).toBe(subject)
      expect(html.match(/<h1/g), kind).toHaveLength(1)
      const wrapper = new RegExp(
        `<body[\\s\\S]*<div role="article"[^>]* lang="${tag}" dir="${dir}">`,
      )
      expect(html, kind).toMatch(wrapper)
      expect(html.match(/<table(?![^>]* role="presentation")/g), kind).toBeNull()
    }
  })

  it('load nothing', () => {
    for (const { kind, html } of composed(tag)) {
      expect(html.match(/<(?:img|link|script)|\ssrc|url\(|@import|@font-face/g), kind).toBeNull()
    }
  })

  it('have a text of at most 76 columns, with each link and the code alone on a line', () => {
    for (const { kind, html, text, data } of composed(tag)) {
      const lines = text.trimEnd().split('\n')
      const wide = lines.filter((line) => columns(line) > 76 && !/^https:\S+$/.test(line))
      expect([kind, wide]).toEqual([kind, []])
      const links = [...html.matchAll(/href="([^"]+)"/g)].map(([, href = '']) => decode(href))
      expect(lines).toEqual(expect.arrayContaining(links))
      expect(lines.filter((line) => /\S\s*https?:|https?:\S*\s/.test(line))).toEqual([])
      // First of all, below the heading, and without a tag or a blank in it.
      if (data.code) expect([lines[2], html.includes(`>${data.code}<`)]).toEqual([data.code, true])
    }
  })

  it('keep what is no language from left to right, and put nothing behind a link', async () => {
    for (const { kind, html, data } of composed(tag)) {
      await page.setContent(html)
      const values = [data.account, data.reference, data.code ?? 'no code', 'https://']
      expect([kind, await strays(values)]).toEqual([kind, []])
      const after = await page.$$eval('.card a', (links) =>
        links.map((link) => link.nextSibling?.textContent?.trim() ?? ''),
      )
      expect([kind, after.filter((text) => text !== '')]).toEqual([kind, []])
    }
  })

  it('have a button of 44 pixels on a cell that is coloured, and the address below', async () => {
    await page.setViewportSize({ width: 320, height: 640 })
    for (const { kind, html } of composed(tag)) {
      for (const shown of [html, withoutStyle(html)]) {
        await page.setContent(shown)
        const [button] = await page.$$eval('td[bgcolor] > a.button', (links) =>
          links.map((link) => ({
            height: link.getBoundingClientRect().height,
            hasAddress:
              link.closest('table')?.nextElementSibling?.textContent === link.getAttribute('href'),
          })),
        )
        expect(button?.height ?? 0, kind).toBeGreaterThanOrEqual(44)
        expect(button?.hasAddress, kind).toBe(true)
        const width = await page.evaluate(() => document.documentElement.scrollWidth)
        expect([kind, width]).toEqual([kind, 320])
      }
    }
  })
})

describe('colours', () => {
  // The default, pale ones, the ends, and those between that are hardest to write on.
  const accents = ['#1d4ed8', '#ffcc00', '#ffffff', '#000000', '#767676', '#e11d48', '#16a34a']
  const tagsAndAccents = [
    // What is written makes no colour another; from which side it is read might.
    ...['en', 'ar'].map((tag) => [tag, '#1d4ed8'] as const),
    ...accents.slice(1).map((accent) => ['en', accent] as const),
  ]

  it.each(tagsAndAccents)(
    'of mails in %s with %s have 4.5:1 in light and in dark',
    async (...of) => {
      for (const { kind, html } of composed(...of)) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme })
          await expectReadable(`${kind} in ${colorScheme}`, html)
          await expectReadable(`${kind} in ${colorScheme}, without styles`, withoutStyle(html))
        }
      }
    },
  )

  it.each(accents)('with %s are never pure white or black', (accent) => {
    for (const { kind, html } of composed('en', accent)) {
      expect(html.match(/#(?:f{3}|0{3}|f{6}|0{6})\b|:(?:white|black)\b/gi), kind).toBeNull()
    }
  })

  it('have 4.5:1 where a mail program inverts them', async () => {
    await page.emulateMedia({ colorScheme: 'light' })
    for (const { kind, html } of composed('en')) await expectReadable(kind, html, inverted)
  })
})

async function expectReadable(
  name: string,
  html: string,
  seenAs: (colour: string) => string = (colour) => colour,
): Promise<void> {
  await page.setContent(html)
  const found = await readings()
  expect(found.length, name).toBeGreaterThan(5)
  const faint = found
    .map((each) => ({
      ...each,
      ratio: contrastRatio(seenAs(each.colour), seenAs(each.background)),
    }))
    .filter(({ ratio }) => ratio < 4.5)
  expect([name, faint]).toEqual([name, []])
}

interface Reading {
  readonly text: string
  /** `#rrggbb`, like the background. */
  readonly colour: string
  readonly background: string
}

/** Every text that can be seen on the page, with the colours it is painted in. */
function readings(): Promise<Reading[]> {
  return page.evaluate(() => {
    const hex = (colour: string) =>
      `#${(colour.match(/\d+/g) ?? [])
        .slice(0, 3)
        .map((value) => Number(value).toString(16).padStart(2, '0'))
        .join('')}`
    const found: Reading[] = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent?.trim() ?? ''
      const element = walker.currentNode.parentElement
      if (text === '' || !element?.checkVisibility()) continue
      let painted: Element = element
      while (getComputedStyle(painted).backgroundColor === 'rgba(0, 0, 0, 0)')
        painted = painted.parentElement ?? document.documentElement
      const colour = hex(getComputedStyle(element).color)
      found.push({ text, colour, background: hex(getComputedStyle(painted).backgroundColor) })
    }
    return found
  })
}

/** Texts with one of the values that have no element of their own from left to right. */
function strays(values: readonly string[]): Promise<string[]> {
  return page.evaluate((all) => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const found: string[] = []
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent ?? ''
      const around = walker.currentNode.parentElement?.closest('[dir]')
      const isAlone = around?.matches('p[dir=ltr], span[dir=ltr]') === true
      if (all.some((value) => text.includes(value)) && !isAlone) found.push(text)
    }
    return found
  }, values)
}

/** What Gmail leaves of a mail for some of its readers. */
function withoutStyle(html: string): string {
  return html.replaceAll(/<style>[\s\S]*?<\/style>/g, '')
}

function inverted(colour: string): string {
  return `#${(0xffffff - Number.parseInt(colour.slice(1), 16)).toString(16).padStart(6, '0')}`
}

function decode(href: string): string {
  return href.replaceAll('&amp;', '&')
}
