// The reset page of examples/theme.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../src/config/load.ts'
import { Pages } from '../../src/respond/html.ts'
import { samplePages } from '../../src/samples.ts'
import { wire } from '../../src/wire.ts'
import { launch, picture } from './picture.ts'

const folder = mkdtempSync(join(tmpdir(), 'forgot-picture-'))
const env = { STORE_URL: `sqlite:${join(folder, 'store.db')}`, FORGOT_SECRET: '0'.repeat(64) }
const config = loadConfig('examples/theme/config.yaml', { env })
const { services, assets, templates, close } = await wire({ ...config, dataDir: folder })
const locale = services.locales.choose(['en'], '')
const pages = new Pages({
  services,
  assets,
  render: (template, view) => templates.render(template, view),
})
const request = { method: 'GET', path: '', headers: {}, parameters: {}, data: {} }
const sample = samplePages(services, locale).find(({ name }) => name === 'reset')
if (sample === undefined) throw new Error('There is no sample of the reset page')
const { body: html } = await pages.respond(sample.outcome, { request, flow: null, locale })

const browser = await launch()
const page = await browser.newPage({ viewport: { width: 1120, height: 720 } })
await page.route('**/*', (route) => {
  const { pathname } = new URL(route.request().url())
  const asset = Object.values(assets).find((each) => each?.path === pathname)
  return route.fulfill({ body: asset?.body ?? html, contentType: asset?.type ?? 'text/html' })
})
await page.goto(config.site.url)
writeFileSync(join(import.meta.dirname, 'theme.png'), await picture(page))
await browser.close()
await close()
rmSync(folder, { recursive: true })
