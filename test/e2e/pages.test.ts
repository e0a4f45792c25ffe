import { readdirSync } from 'node:fs'
import axe from 'axe-core'
import { HtmlValidate } from 'html-validate'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readLocaleFiles } from '../../src/locale/files.ts'
import { launch } from '../support/chromium.ts'
import { minutes } from '../support/clock.ts'
import { accounts, newPassword, route, Site } from '../support/site.ts'
import { linkIn } from '../support/smtp.ts'

const tags = readdirSync('locales').map((file) => file.replace('.yaml', ''))
const people = Object.values(accounts).filter((account) => account.active)
const sizes = [
  { width: 320, height: 640 },
  { width: 1280, height: 800 },
]

let site: Site
let browser: Browser
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
    limits: { badProofs: '1/15m' },
    password: { cost: 4, confirm: true, composition: ['lower', 'upper', 'digit', 'special'] },
  })
  site.config = { ...site.config, site: { ...site.config.site, url: site.url } }
  for (const { email, language } of people) await collect(email, language)
  page = await (await browser.newContext()).newPage()
  await page.goto(`${site.url}/health`)
  mailPage = await (await browser.newContext()).newPage()
  // Once: the documents are replaced within the same window.
  for (const each of [page, mailPage]) await each.evaluate(axe.source)
})

afterAll(async () => {
  await browser.close()
  await site.stop()
})

async function collect(email: string, language: string): Promise<void> {
  const shown = new Map<string, string>()
  const visitor = site.visitor()
  const late = site.visitor()
  const lang = `lang=${language}`
  const keep = (name: string, body: string) => shown.set(name, body)
  keep('form', (await visitor.get(`${route}?${lang}`)).body)
  keep('form, wrong', (await visitor.post(route, { email: 'x', lang: language })).body)
  keep('sent', (await visitor.follow(await visitor.post(route, { email, lang: language }))).body)
  const link = linkIn((await site.smtp.to(email))[0])
  keep('sent again', (await visitor.follow(await visitor.post(route, { resend: '1' }))).body)
  await site.smtp.to(email, 2)
  keep('page expired', (await visitor.get(`${route}?step=reset`)).body)
  const form = await visitor.follow(await visitor.get(link))
  keep('reset', form.body)
  const csrf = form.field('csrf')
  keep('reset, wrong', (await visitor.post(route, { password: 'short', csrf })).body)
  keep('reset, outdated', (await visitor.post(route, { password: newPassword, csrf: 'x' })).body)
  const password = `${newPassword} A1!`
  keep('reset, differing', (await visitor.post(route, { password, confirm: 'x', csrf })).body)
  keep(
    'done',
    (await visitor.follow(await visitor.post(route, { password, confirm: password, csrf }))).body,
  )
  keep('link used', (await visitor.get(`${link}&${lang}`)).body)
  keep('too many requests', await tooMany(lang))
  keep('not found', (await visitor.get(`/nowhere?${lang}`)).body)
  keep(
    'cross-site',
    (await visitor.post(`${route}?${lang}`, { email }, { 'sec-fetch-site': 'cross-site' })).body,
  )
  await site.smtp.to(email, 3)
  site.clock.move(minutes(61))
  await late.post(route, { email, lang: language })
  const received = await site.smtp.to(email, 4)
  const links = received.filter(({ mail }) => mail.text?.includes('?token='))
  const later = links.map(linkIn).find((each) => each !== link) ?? ''
  site.clock.move(minutes(61))
  keep('link expired', (await late.get(`${later}&${lang}`)).body)
  const changed = received.find((each) => !links.includes(each))
  mails.set(
    language,
    new Map([links[0], changed].map((each) => [each?.mail.subject ?? '', each?.mail.html ?? ''])),
  )
  pages.set(language, shown)
}

async function tooMany(lang: string): Promise<string> {
  const bad = () => site.visitor().get(`${route}?token=x&${lang}`)
  await bad()
  return (await bad()).body
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

it('is tried in every language there is', () => {
  expect([...pages.keys()].sort()).toEqual(tags)
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
        expect([name, phrases.filter((phrase) => html.includes(phrase))]).toEqual([name, []])
      expect([name, html.match(/>\s*(?:\w+\.)+[\w-]+\s*</g)]).toEqual([name, null])
    }
  })
})

describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
  describe.each(sizes)('at $width pixels', (viewport) => {
    beforeAll(async () => {
      for (const each of [page, mailPage]) {
        await each.setViewportSize(viewport)
        await each.emulateMedia({ colorScheme })
      }
    })

    it.each(tags)('the pages in %s have no barrier and no sideways scrolling', async (tag) => {
      for (const [name, html] of pages.get(tag) ?? [])
        await expectNoBarrier(page, `${tag}, ${name}`, html)
    })

    it.each(tags)('the mails in %s have no barrier and no sideways scrolling', async (tag) => {
      expect(mails.get(tag)?.size).toBe(2)
      for (const [name, html] of mails.get(tag) ?? [])
        await expectNoBarrier(mailPage, `${tag}, ${name}`, html)
    })
  })
})

it('has no barrier in forced colours', async () => {
  await page.emulateMedia({ forcedColors: 'active' })
  for (const [name, html] of pages.get('en') ?? []) await expectNoBarrier(page, name, html)
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

async function expectNoBarrier(on: Page, name: string, html: string): Promise<void> {
  await on.setContent(html)
  const found = await on.evaluate(async (values) => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run({
      runOnly: values,
    })
    return violations.map(
      (each) => `${each.id}: ${each.nodes.map((node) => node.html).join(' | ')}`,
    )
  }, standards)
  expect([name, found]).toEqual([name, []])
  expect([name, await sideways(on)]).toEqual([name, 0])
}

/** By how many pixels the page is wider than the window. */
function sideways(on: Page): Promise<number> {
  return on.evaluate(() => Math.max(0, document.documentElement.scrollWidth - window.innerWidth))
}

function styleOf(html: string): string {
  return /href="([^"]+\.css)"/.exec(html)?.[1] ?? ''
}
