import { gzipSync } from 'node:zlib'
import { HtmlValidate } from 'html-validate'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { directionOf, type Locale } from '../../src/locale/locale.ts'
import type { Locales } from '../../src/locale/locales.ts'
import { pseudoTags } from '../../src/locale/pseudo.ts'
import { mailKinds } from '../../src/mail/message.ts'
import { pseudoTemplates, Texts } from '../../src/preview/texts.ts'
import { type Wired, wire } from '../../src/wire.ts'
import { expectNoBarriers, prepareForBarriers, sideways } from '../support/barriers.ts'
import { launch } from '../support/chromium.ts'
import { areOthers, tags } from '../support/languages.ts'
import { renderMails, renderPages } from '../support/samples.ts'
import { Site } from '../support/site.ts'

// Longer than any translation, and right to left: what these fit into, every language does.
const allTags = areOthers ? [...tags, ...pseudoTags] : tags
const templates = pseudoTemplates(null)
const narrow = { width: 320, height: 640 }
// What fits where there is least room fits elsewhere, and no language has colours of its own.
const sizes = areOthers ? [narrow] : [narrow, { width: 1280, height: 800 }]
const schemes = areOthers ? (['light'] as const) : (['light', 'dark'] as const)

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
  const texts = new Texts(wired.config.locales)
  for (const locale of texts.all.filter(({ tag }) => allTags.includes(tag)))
    await collect(locale, texts.offeredWith(locale, 'en'))
  page = await (await browser.newContext()).newPage()
  await page.goto(`${site.url}/health`)
  mailPage = await (await browser.newContext()).newPage()
  for (const each of [page, mailPage]) await prepareForBarriers(each)
})

afterAll(async () => {
  await browser.close()
  await wired.close()
  await site.stop()
})

/** Renders every sample of a page and a mail in one language. */
async function collect(locale: Locale, locales: Locales): Promise<void> {
  const look = { services: { ...wired.services, locales }, assets: wired.assets, templates }
  pages.set(locale.tag, await renderPages(locale, look))
  const sent = [...renderMails(locale, look)].map(([kind, { html }]) => [kind, html] as const)
  mails.set(locale.tag, new Map(sent))
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
      expect(html).toContain(`<html lang="${tag}" dir="${directionOf(tag)}">`)
      // A third of it is the list of languages. Thai and others take three bytes a letter.
      expect(Buffer.byteLength(html)).toBeLessThanOrEqual((tag === 'en' ? 7 : 11) * 1024)
      expect(gzipSync(html).length).toBeLessThanOrEqual(2816)
      expect(html.match(/(?:src|href)="(?:https?:)?\/\/[^"]*"/g), name).toBeNull()
      expect(html, name).not.toMatch(/undefined|\[object|\bstyle=|<style|onclick/)
    }
  })
})

describe.each(schemes)('in %s', (colorScheme) => {
  describe.each(sizes)('at $width pixels', (viewport) => {
    const seen = new Set<string>()
    // Words are judged where there is the least room for them: what they say is the same in any light and size.
    const isJudged = areOthers && colorScheme === 'light' && viewport === narrow
    const seenBy = () => (isJudged ? new Set<string>() : seen)
    const shownTags = colorScheme === 'light' && viewport === narrow ? allTags : tags
    // In the dark nothing but colours is another: nothing gets wider.
    const isNewAlone = colorScheme === 'dark'

    beforeAll(async () => {
      for (const each of [page, mailPage]) {
        await each.setViewportSize(viewport)
        await each.emulateMedia({ colorScheme })
      }
    })

    it.each(shownTags)('the pages in %s have no barrier and no sideways scrolling', async (tag) => {
      await expectNoBarriers(page, pages.get(tag) ?? [], seenBy(), isNewAlone)
    })

    it.each(shownTags)('the mails in %s have no barrier and no sideways scrolling', async (tag) => {
      expect(mails.get(tag)?.size).toBe(mailKinds.length)
      await expectNoBarriers(mailPage, mails.get(tag) ?? [], seenBy(), isNewAlone)
    })
  })
})

it('has no barrier in forced colours', async () => {
  await page.emulateMedia({ forcedColors: 'active' })
  await expectNoBarriers(page, pages.get(areOthers ? 'he' : 'en') ?? [])
  await page.emulateMedia({ forcedColors: 'none' })
})

it('fits when text is spaced as WCAG 1.4.12 has it', async () => {
  await page.setViewportSize({ width: 320, height: 640 })
  for (const [name, html] of pages.get(areOthers ? 'el' : 'de') ?? []) {
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
  for (const [name, html] of pages.get(areOthers ? 'hi' : 'th') ?? []) {
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

function styleOf(html: string): string {
  return /href="([^"]+\.css)"/.exec(html)?.[1] ?? ''
}
