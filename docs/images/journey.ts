// The way through the pages, in English; and the same page in four languages, light and dark.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../src/config/load.ts'
import { compose } from '../../src/mail/message.ts'
import { Pages } from '../../src/respond/html.ts'
import { sampleMail, samplePages } from '../../src/samples.ts'
import { wire } from '../../src/wire.ts'
import { launch, picture } from './picture.ts'

const width = 430
const height = 690
// Four of them are as wide as a page of text.
const scale = 0.8

const folder = mkdtempSync(join(tmpdir(), 'forgot-picture-'))
const demo = loadConfig({ site: { name: 'Riverside Library', supportUrl: '/help' } }, { env: {} })
const config = {
  ...demo,
  site: { ...demo.site, url: 'https://library.example' },
  dataDir: folder,
  store: { ...demo.store, url: `sqlite:${join(folder, 'store.db')}` },
}
// Always the same, so that a picture changes with its pages alone.
const clock = { now: () => Date.UTC(2026, 10, 20, 17, 24) }
const { services, assets, templates, close } = await wire(config, { clock })
const pages = new Pages({
  services,
  assets,
  render: (template, view) => templates.render(template, view),
})

async function pageOf(name: string, tag: string): Promise<string> {
  const locale = services.locales.choose([tag], '')
  const sample = samplePages(services, locale).find((each) => each.name === name)
  if (sample === undefined) throw new Error(`There is no sample ${name}`)
  const request = { method: 'GET', path: '', headers: {}, parameters: {}, data: {} }
  return String((await pages.respond(sample.outcome, { request, flow: null, locale })).body)
}

function mailOf(tag: string): string {
  const locale = services.locales.choose([tag], '')
  const data = sampleMail('link', locale, services)
  const to = { id: 'sample', address: data.account }
  return compose(templates, { kind: 'link', language: tag }, to, data).html
}

const browser = await launch()

/** The upper part of a page on a telephone, as an image for another page. */
async function shot(html: string, colorScheme: 'light' | 'dark' = 'light'): Promise<string> {
  const page = await browser.newPage({
    viewport: { width, height },
    deviceScaleFactor: scale,
    colorScheme,
  })
  await page.route('**/*', (route) => {
    const { pathname } = new URL(route.request().url())
    const asset = Object.values(assets).find((each) => each?.path === pathname)
    return route.fulfill({ body: asset?.body ?? html, contentType: asset?.type ?? 'text/html' })
  })
  await page.goto('https://library.example/')
  const png = await page.screenshot({ clip: { x: 0, y: 0, width, height } })
  await page.close()
  return `<img src="data:image/png;base64,${png.toString('base64')}">`
}

async function sideBySide(name: string, images: readonly string[]): Promise<void> {
  const viewport = { width: width * scale * images.length, height: height * scale }
  const page = await browser.newPage({ viewport })
  await page.setContent(`<body style="display:flex;margin:0">${images.join('')}`)
  writeFileSync(join(import.meta.dirname, `${name}.png`), await picture(page))
  await page.close()
}

await sideBySide('journey', [
  await shot(await pageOf('form', 'en')),
  await shot(await pageOf('sent', 'en')),
  await shot(mailOf('en')),
  await shot(await pageOf('reset', 'en')),
])
await sideBySide('languages', [
  await shot(await pageOf('sent', 'ja')),
  await shot(await pageOf('sent', 'ar'), 'dark'),
  await shot(await pageOf('sent', 'de')),
  await shot(await pageOf('sent', 'uk'), 'dark'),
])
await browser.close()
await close()
rmSync(folder, { recursive: true })
