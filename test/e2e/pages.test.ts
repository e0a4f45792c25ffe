import { readdirSync } from 'node:fs'
import axe from 'axe-core'
import { HtmlValidate } from 'html-validate'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { readLocaleFiles } from '../../src/locale/files.ts'
import type { Locale } from '../../src/locale/locale.ts'
import { compose, mailKinds } from '../../src/mail/message.ts'
import { Pages } from '../../src/respond/html.ts'
import { sampleMail, samplePages } from '../../src/samples.ts'
import { type Wired, wire } from '../../src/wire.ts'
import { launch } from '../support/chromium.ts'
import { Site } from '../support/site.ts'

const tags = readdirSync('locales').map((file) => file.replace('.yaml', ''))
const sizes = [
  { width: 320, height: 640 },
  { width: 1280, height: 800 },
]

let site: Site
let browser: Browser
let wired: Wired
/** On the site, so that pages find their assets and are held to their policy. */
let page: Page
/** On nothing, as mail programs have no policy of ours. */
let mailPage: Page
/** Every state that a visitor can see, as it was sent: by language, then by name. */
const pages = new Map<string, Map<string, string>>()
const mails = new Map<string, Map<string, string>>()

beforeAll(async () => {
  browser = await launch()
  site = await Site.start({
    site: { name: 'Riverside', supportUrl: '/help' },
    recovery: { methods: ['link', 'code'] },
    password: { cost: 4, confirm: true, composition: ['lower', 'upper', 'digit', 'special'] },
  })
  wired = await wire(loadConfig(site.config, { env: {} }))
  for (const locale of wired.services.locales.all) await collect(locale)
  page = await (await browser.newContext()).newPage()
  await page.goto(`${site.url}/health`)
  mailPage = await (await browser.newContext()).newPage()
  // Once: the documents are replaced within the same window.
  for (const each of [page, mailPage]) await each.evaluate(axe.source)
})

afterAll(async () => {
  await browser.close()
  await wired.close()
  await site.stop()
})

/** Renders every sample of a page and a mail in one language. */
async function collect(locale: Locale): Promise<void> {
  const { services, assets, templates } = wired
  const render = (template: string, view: object) => templates.render(template, view)
  const responder = new Pages({ services, assets, render })
  const request = { method: 'GET', path: '', headers: {}, parameters: {}, data: {} }
  const shown = new Map<string, string>()
  for (const [index, outcome] of samplePages(services, locale).entries()) {
    const { body } = await responder.respond(outcome, { request, flow: null, locale })
    shown.set(`${index} ${outcome.page}`, String(body))
  }
  pages.set(locale.tag, shown)
  const language = locale.tag
  const sent = mailKinds.map((kind) => {
    const data = sampleMail(kind, locale, services)
    const to = { id: 'sample', address: data.account }
    return [kind, compose(templates, { kind, language }, to, data).html] as const
  })
  mails.set(language, new Map(sent))
}

const validator = new HtmlValidate({
  extends: ['html-validate:standard'],
  elements: ['html5', { input: { attributes: { passwordrules: {} } } }],
  rules: {
    'long-title': 'off',
    'require-sri': 'off',
    'prefer-native-element': 'off',
    'no-implicit-close': 'off',
    // Eta leaves the blanks of its tags; what a browser makes of them is the same.
    'no-trailing-whitespace': 'off',
    'attribute-boolean-style': ['error', { style: 'omit' }],
  },
})

describe.each(tags)('pages in %s', (tag) => {
  const shown = () => [...(pages.get(tag) ?? [])]

  it('are valid HTML, in their language, small, and free of anything foreign', () => {
    for (const [name, html] of shown()) {
      const report = validator.validateStringSync(html)
      const messages = report.results.flatMap((result) => result.messages)
      expect([
        name,
        messages.map((each) => `${each.line}: ${each.ruleId}: ${each.message}`),
      ]).toEqual([name, []])
      expect(html).toContain(`<html lang="${tag}" dir="${tag === 'ar' ? 'rtl' : 'ltr'}">`)
      // Thai takes three bytes a letter.
      expect(Buffer.byteLength(html)).toBeLessThanOrEqual((tag === 'en' ? 4.2 : 6) * 1024)
      expect(html.match(/(?:src|href)="(?:https?:)?\/\/[^"]*"/g), name).toBeNull()
      expect(html, name).not.toMatch(/undefined|\[object|\bstyle=|<style|onclick/)
    }
  })

  it('leave nothing in English and no key untranslated', () => {
    const english = readLocaleFiles('locales').find((file) => file.tag === 'en')
    const phrases = [...(english?.messages.values() ?? [])]
      .flatMap((message) => (typeof message === 'string' ? [message] : Object.values(message)))
      .flatMap((text) => text.split(/\{\w+\}/))
      .map((part) => part.trim())
      .filter((part) => part.length > 3)
    for (const [name, html] of shown()) {
      if (tag !== 'en')
        expect([name, phrases.filter((phrase) => holds(html, phrase))]).toEqual([name, []])
      expect([name, html.match(/>\s*(?:\w+\.)+[\w-]+\s*</g)]).toEqual([name, null])
    }
  })
})

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  describe.each(sizes)('at $width pixels', (viewport) => {
    const seen = new Set<string>()
    // Words are judged where there is the least room for them: what they say is the same in any light and size.
    const seenBy = () =>
      colorScheme === 'light' && viewport === sizes[0] ? new Set<string>() : seen
    // In the dark nothing but colours is another: nothing gets wider.
    const isNewAlone = colorScheme === 'dark'

    beforeAll(async () => {
      for (const each of [page, mailPage]) {
        await each.setViewportSize(viewport)
        await each.emulateMedia({ colorScheme })
      }
    })

    it.each(tags)('the pages in %s have no barrier and no sideways scrolling', async (tag) => {
      await expectNoBarriers(page, pages.get(tag) ?? [], seenBy(), isNewAlone)
    })

    it.each(tags)('the mails in %s have no barrier and no sideways scrolling', async (tag) => {
      expect(mails.get(tag)?.size).toBe(mailKinds.length)
      await expectNoBarriers(mailPage, mails.get(tag) ?? [], seenBy(), isNewAlone)
    })
  })
})

it('has no barrier in forced colours', async () => {
  await page.emulateMedia({ forcedColors: 'active' })
  await expectNoBarriers(page, pages.get('en') ?? [])
  await page.emulateMedia({ forcedColors: 'none' })
})

it('fits when text is spaced as WCAG 1.4.12 has it', async () => {
  await page.setViewportSize({ width: 320, height: 640 })
  for (const [name, html] of pages.get('fr') ?? []) {
    await page.setContent(html)
    await page.addStyleTag({ url: `${site.url}${styleOf(html)}` })
    await page.evaluate(() => {
      const sheet = new CSSStyleSheet()
      sheet.replaceSync(
        '*{line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important}',
      )
      document.adoptedStyleSheets = [sheet]
    })
    expect([name, await sideways(page)]).toEqual([name, 0])
  }
})

it('has targets that a finger can hit', async () => {
  await page.setViewportSize({ width: 320, height: 640 })
  for (const [name, html] of pages.get('th') ?? []) {
    await page.setContent(html)
    const small = await page.evaluate(() =>
      [...document.querySelectorAll('button, .button, input:not([type=hidden])')]
        .filter(
          (element) => element.checkVisibility() && element.getBoundingClientRect().height < 44,
        )
        .map((element) => element.outerHTML),
    )
    expect([name, small]).toEqual([name, []])
  }
})

const standards = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/**
 * Looks for barriers, and whether a page is too wide.
 *
 * @param seen Structures in which there is no barrier: pages that differ in their words alone have the same.
 * @param isNewAlone Whether only pages of other structures are looked at.
 */
async function expectNoBarriers(
  on: Page,
  shown: Iterable<[string, string]>,
  seen = new Set<string>(),
  isNewAlone = false,
): Promise<void> {
  for (const [name, html] of shown) {
    const structure = structureOf(html)
    const isNew = !seen.has(structure)
    if (isNewAlone && !isNew) continue
    await on.setContent(html)
    expect([name, await sideways(on)]).toEqual([name, 0])
    if (isNew) expect([name, await findBarriers(on)]).toEqual([name, []])
    seen.add(structure)
  }
}

/** The tags of a page, with the names of their attributes, and the direction it is read in. */
function structureOf(html: string): string {
  const [direction] = /dir="[^"]*"/.exec(html) ?? []
  // Which of the languages is the page's own is no other structure.
  const tags = html.replace(/>[^<]*</g, '><').replace(/="[^"]*"| aria-current/g, '')
  return `${direction} ${tags}`
}

function findBarriers(on: Page): Promise<string[]> {
  return on.evaluate(async (values) => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run({
      runOnly: values,
    })
    return violations.map(
      (each) => `${each.id}: ${each.nodes.map((node) => node.html).join(' | ')}`,
    )
  }, standards)
}

/** Whether a text holds a phrase, and not as the beginning of a longer word. */
function holds(text: string, phrase: string): boolean {
  return text
    .split(phrase)
    .slice(1)
    .some((rest) => !/^\p{L}/u.test(rest))
}

/** By how many pixels the page is wider than the window. */
function sideways(on: Page): Promise<number> {
  return on.evaluate(() => Math.max(0, document.documentElement.scrollWidth - window.innerWidth))
}

function styleOf(html: string): string {
  return /href="([^"]+\.css)"/.exec(html)?.[1] ?? ''
}
