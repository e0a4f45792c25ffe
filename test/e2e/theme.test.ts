import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FastifyInstance, fastify } from 'fastify'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ownTemplates } from '../../src/ejected.ts'
import type { Locale } from '../../src/locale/locale.ts'
import type { Message } from '../../src/mail/mailer.ts'
import { mountAssets } from '../../src/mount.ts'
import { loadAssets } from '../../src/respond/assets.ts'
import { securityHeaders } from '../../src/security.ts'
import { Templates } from '../../src/templates.ts'
import { type Wired, wire } from '../../src/wire.ts'
import { expectNoBarriers, prepareForBarriers } from '../support/barriers.ts'
import { launch } from '../support/chromium.ts'
import { type Look, renderMails, renderPages } from '../support/samples.ts'
import { secret } from '../support/site.ts'

const example = 'examples/theme'
const tags = ['en', 'ar', 'de'].filter((tag) => readdirSync('locales').includes(`${tag}.yaml`))
const narrow = { width: 320, height: 640 }
const wide = { width: 1280, height: 800 }

let folder = ''
let browser: Browser
let server: FastifyInstance
let wired: Wired
/** On the site, so that pages find their assets and are held to their policy. */
let page: Page
/** On nothing, as mail programs have no policy of ours. */
let mailPage: Page
/** The built-in look of the same site, beside which the example is held. */
let plain: Look
let own: Look
const shown = new Map<string, Map<string, string>>()
const mails = new Map<string, Map<string, Message>>()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-theme-'))
  const env = { STORE_URL: `sqlite:${join(folder, 'store.db')}`, FORGOT_SECRET: secret }
  const config = { ...loadConfig(`${example}/config.yaml`, { env }), dataDir: folder }
  wired = await wire(config)
  // Always the same, so that two mails never fall into different minutes.
  const services = { ...wired.services, clock: { now: () => Date.UTC(2026, 10, 20, 17, 24) } }
  own = { ...wired, services }
  const templates = new Templates(null)
  const { theme } = loadConfig({}, { env: {} })
  plain = { services, templates, assets: loadAssets({ ...config, theme }, templates) }
  browser = await launch()
  page = await (await browser.newContext()).newPage()
  server = await serveAssets(config)
  await page.goto(server.listeningOrigin)
  mailPage = await (await browser.newContext()).newPage()
  for (const each of [page, mailPage]) await prepareForBarriers(each)
  for (const tag of tags) {
    shown.set(tag, await renderPages(languageOf(tag), own))
    mails.set(tag, renderMails(languageOf(tag), own))
  }
})

afterAll(async () => {
  await browser.close()
  await server.close()
  await wired.close()
  rmSync(folder, { recursive: true })
})

/** The files that pages load, with the headers of the module: what its policy forbids does not show. */
async function serveAssets(config: Config): Promise<FastifyInstance> {
  const app = fastify()
  const headers = securityHeaders(config)
  app.addHook('onRequest', async (_, reply) => {
    reply.headers(headers)
  })
  const { style, logo } = own.assets
  mountAssets(app, [style, plain.assets.style, plain.assets.script, ...(logo ? [logo] : [])])
  await app.listen()
  return app
}

function languageOf(tag: string): Locale {
  const locale = wired.services.locales.exact(tag)
  if (locale === null) throw new Error(`There is no ${tag}`)
  return locale
}

const pageOf = (tag: string, name: string) => shown.get(tag)?.get(name) ?? ''
const htmlOf = (tag: string) =>
  [...(mails.get(tag) ?? [])].map(([kind, { html }]) => [kind, html] as [string, string])

async function look(colorScheme: 'light' | 'dark', size: typeof narrow): Promise<void> {
  for (const each of [page, mailPage]) {
    await each.emulateMedia({ colorScheme })
    await each.setViewportSize(size)
  }
}

// Structures in which there is no barrier: German has those of English.
const seenInLight = new Set<string>()
const seenInDark = new Set<string>()

it.each(tags)(
  'has no barrier and no sideways scrolling in %s, narrow and in light',
  async (tag) => {
    await look('light', narrow)
    await Promise.all([
      expectNoBarriers(page, shown.get(tag) ?? [], seenInLight),
      expectNoBarriers(mailPage, htmlOf(tag), seenInLight),
    ])
  },
)

it.each(tags)(
  'has no barrier and no sideways scrolling in %s, wide and in the dark',
  async (tag) => {
    await look('dark', wide)
    // Colours are the same whichever way a language is read: all of them are seen in English.
    const some = new Set(['form', 'sent-code-wrong', 'reset-token', 'error-link-expired'])
    const pages = [...(shown.get(tag) ?? [])].filter(([name]) => tag === 'en' || some.has(name))
    expect(pages.length).toBeGreaterThanOrEqual(some.size)
    await Promise.all([
      expectNoBarriers(page, pages, seenInDark, true),
      expectNoBarriers(mailPage, htmlOf(tag), seenInDark, true),
    ])
  },
)

it('has no barrier in forced colours, and no leaves behind the name', async () => {
  await look('light', wide)
  await page.emulateMedia({ forcedColors: 'active' })
  const some = ['sent', 'reset-password-too-short', 'error-link-expired']
  await expectNoBarriers(
    page,
    some.map((name) => [name, pageOf('en', name)]),
  )
  expect(await styles(page, 'header', ['display'], '::before')).toEqual(['none'])
  await page.emulateMedia({ forcedColors: 'none' })
})

describe('what sites rely on', () => {
  const main = (html: string) => /<main [^>]*>/.exec(html)?.[0]
  const fields = (html: string) =>
    [...html.matchAll(/<(?:input|button)[^>]* name="[^"]*"/g)]
      .map(([tag]) => tag.replace(/.* /, ''))
      .sort()

  it('is on every page as it is on the built-in one', async () => {
    const builtIn = await renderPages(languageOf('en'), plain)
    expect([...builtIn.keys()]).toEqual([...(shown.get('en')?.keys() ?? [])])
    for (const [name, html] of builtIn) {
      const shownOwn = pageOf('en', name)
      expect([name, main(shownOwn), fields(shownOwn)]).toEqual([name, main(html), fields(html)])
    }
  })

  it('is in every mail: the same text, all styles that it needs, and no more than 6 KB', async () => {
    for (const tag of tags) {
      const builtIn = renderMails(languageOf(tag), plain)
      for (const [kind, { html, text }] of mails.get(tag) ?? []) {
        expect([kind, text]).toEqual([kind, builtIn.get(kind)?.text])
        expect(Buffer.byteLength(html), kind).toBeLessThanOrEqual(6 * 1024)
        expect(html.match(/(?:src|href)="(?!http:\/\/127)[^"]*"/g), kind).toBeNull()
      }
    }
    const [, html = ''] = htmlOf('en')[0] ?? []
    await mailPage.setContent(html.replace(/<style>.*?<\/style>/gs, ''))
    expect(await styles(mailPage, 'h1', ['fontFamily', 'fontSize'])).toEqual([
      'Georgia, serif',
      '30px',
    ])
    expect(await styles(mailPage, '.fill', ['backgroundColor'])).toEqual(['rgb(31, 77, 58)'])
  })
})

describe('another product', () => {
  it('in every measure: its page, its letters, its corners', async () => {
    await look('light', wide)
    const seen = async (html: string) => {
      await page.setContent(html)
      return [
        ...(await styles(page, 'body', ['backgroundColor', 'display'])),
        ...(await styles(page, 'h1', ['fontFamily', 'fontSize', 'fontWeight'])),
        ...(await styles(page, 'button.button', ['backgroundColor', 'borderRadius', 'width'])),
        ...(await styles(page, 'main', ['borderRadius', 'boxShadow', 'width'])),
      ]
    }
    const ours = await seen(pageOf('en', 'sent'))
    const builtIn = await seen((await renderPages(languageOf('en'), plain)).get('sent') ?? '')
    expect(ours.filter((value, at) => value === builtIn[at])).toEqual([])
  })

  it.each(tags)('with its panel where a line in %s begins', async (tag) => {
    await look('light', wide)
    await expectNoBarriers(page, [['form', pageOf(tag, 'form')]])
    const [panel, main] = await Promise.all(
      ['header', 'main'].map(async (name) => (await page.locator(name).boundingBox())?.x ?? 0),
    )
    expect(Number(panel) < Number(main)).toBe(tag !== 'ar')
  })

  it('in texts of its own, and the built-in ones beside them', () => {
    const texts: Record<string, Record<string, string>> = parse(
      readFileSync(`${example}/locales/en.yaml`, 'utf8'),
    )
    expect(pageOf('en', 'form')).toContain(`<h1>${texts['form']?.['title']}</h1>`)
    expect(pageOf('en', 'done')).toContain(texts['layout']?.['sign_in'])
    expect(pageOf('en', 'reset')).toContain('<h1>Choose a new password</h1>')
  })

  it('of files whose built-in ones are as they were when they were copied', () => {
    const states = ownTemplates(`${example}/templates`).map(({ file, state }) => [file, state])
    expect(states).toEqual([
      ['email/button.eta', 'changed'],
      ['email/layout.eta', 'changed'],
      ['forgot-sent.eta', 'changed'],
      ['layout.eta', 'changed'],
      ['parts/icon.eta', 'changed'],
    ])
  })
})

/** Computed styles of the first element that a selector finds, or of what stands before it. */
function styles(
  on: Page,
  selector: string,
  names: readonly (keyof CSSStyleDeclaration)[],
  before = '',
): Promise<unknown[]> {
  return on
    .locator(selector)
    .first()
    .evaluate(
      (element, [wanted, part]) => {
        const computed = getComputedStyle(element, part)
        return wanted.map((name) => computed[name])
      },
      [names, before] as const,
    )
}
