// Thai and Arabic are drawn with the machine's fonts: on Debian those of the package fonts-noto-core.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import packed from '@sparticuz/chromium'
import { chromium, type Page } from 'playwright'
import { loadConfig } from '../../src/config/load.ts'
import { Locales } from '../../src/locale/locales.ts'
import { compose, mailKinds } from '../../src/mail/message.ts'
import { sampleMail } from '../../src/samples.ts'
import { Templates } from '../../src/templates.ts'

const folder = join(import.meta.dirname, 'mails')
const languages = ['en', 'ar', 'th']
const width = 600
const mostColours = 128

const demo = loadConfig({ recovery: { methods: ['link', 'code'] } }, { env: {} })
const site = { ...demo.site, name: 'Riverside Library', url: 'https://library.example' }
const config = { ...demo, site }
const locales = Locales.load(config.locales).all.filter(({ tag }) => languages.includes(tag))
const templates = new Templates(null)
// Always the same, so that a picture changes with its mail alone.
const clock = { now: () => Date.UTC(2026, 10, 20, 17, 24) }

/** The colours of a page from its top to its end, 0xAABBGGRR, row by row. */
async function draw(page: Page): Promise<number[]> {
  const png = await page.screenshot({ fullPage: true })
  const url = `data:image/png;base64,${png.toString('base64')}`
  // As text both ways, which the browser hands over much faster than a list.
  const colours = await page.evaluate(async (picture) => {
    const image = await createImageBitmap(await (await fetch(picture)).blob())
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d')
    context?.drawImage(image, 0, 0)
    const pixels = context?.getImageData(0, 0, image.width, image.height)
    return new Uint32Array(pixels?.data.buffer ?? []).join()
  }, url)
  return colours.split(',').map(Number)
}

/** A PNG of the most frequent colours: the edges of letters have hundreds that nobody tells apart. */
function encode(colours: readonly number[]): Buffer {
  const counts = new Map<number, number>()
  for (const colour of colours) counts.set(colour, (counts.get(colour) ?? 0) + 1)
  const frequent = [...counts].sort(([, one], [, other]) => other - one).map(([colour]) => colour)
  const palette = frequent.slice(0, mostColours).map(channels)
  const places = new Map(frequent.map((colour) => [colour, nearest(channels(colour), palette)]))
  const height = colours.length / width
  // Each row begins with the number of its filter, which is none (PNG, 9.2).
  const rows = Buffer.alloc((width + 1) * height)
  for (const [index, colour] of colours.entries()) {
    rows[index + Math.floor(index / width) + 1] = places.get(colour) ?? 0
  }
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    // 8 bits a pixel, each the place of its colour in the palette (PNG, 11.2.1).
    chunk('IHDR', Buffer.concat([word(width), word(height), Buffer.from([8, 3, 0, 0, 0])])),
    chunk('PLTE', Buffer.from(palette.flat())),
    chunk('IDAT', deflateSync(rows, { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

const channels = (colour: number) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255]

/** The place of the colour in a palette that differs least. */
function nearest(colour: readonly number[], palette: readonly (readonly number[])[]): number {
  const distances = palette.map((each) =>
    Math.hypot(...each.map((part, at) => part - (colour[at] ?? 0))),
  )
  return distances.indexOf(Math.min(...distances))
}

const word = (value: number) => Buffer.from(Uint32Array.of(value).buffer).swap32()

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data])
  return Buffer.concat([word(data.length), body, word(crc32(body))])
}

const executablePath = process.env['CHROMIUM_PATH'] ?? (await packed.executablePath())
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
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
      writeFileSync(file, encode(await draw(page)))
    }
  }
}
await browser.close()
