// Thai and Arabic are drawn with the machine's fonts: on Debian those of the package fonts-noto-core.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../../src/config/load.ts'
import { Locales } from '../../src/locale/locales.ts'
import { compose, mailKinds } from '../../src/mail/message.ts'
import { sampleMail } from '../../src/samples.ts'
import { Templates } from '../../src/templates.ts'
import { launch, picture } from './picture.ts'

const folder = join(import.meta.dirname, 'mails')
const languages = ['en', 'ar', 'th']
const width = 600

const demo = loadConfig({ recovery: { methods: ['link', 'code'] } }, { env: {} })
const site = { ...demo.site, name: 'Riverside Library', url: 'https://library.example' }
const config = { ...demo, site }
const locales = Locales.load(config.locales).all.filter(({ tag }) => languages.includes(tag))
const templates = new Templates(null)
// Always the same, so that a picture changes with its mail alone.
const clock = { now: () => Date.UTC(2026, 10, 20, 17, 24) }

const browser = await launch()
const context = await browser.newContext({ offline: true, viewport: { width, height: 100 } })
const page = await context.newPage()
mkdirSync(folder, { recursive: true })
for (const locale of locales) {
  for (const kind of mailKinds) {
    const data = sampleMail(kind, locale, { config, clock })
    const to = { id: 'sample', address: data.account }
    const mail = compose(templates, { kind, language: locale.tag }, to, data)
    await page.setContent(mail.html)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const file = join(folder, `${kind}-${locale.tag}-${colorScheme}.png`)
      writeFileSync(file, await picture(page))
    }
  }
}
await browser.close()
