import { crc32, deflateSync } from 'node:zlib'
import packed from '@sparticuz/chromium'
import { type Browser, chromium, type Page } from 'playwright'

const mostColours = 128

/** A headless Chromium: the machine's own, or the one that comes with `npm install`. */
export async function launch(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM_PATH'] ?? (await packed.executablePath())
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
}

/** A page from its top to its end as a small PNG. */
export async function picture(page: Page): Promise<Buffer> {
  return encode(await draw(page), page.viewportSize()?.width ?? 0)
}

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
function encode(colours: readonly number[], width: number): Buffer {
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
