/** The shades of the site's accent, each readable where it is used: 4.5:1 or more (WCAG 1.4.3). */
export interface Shades {
  /** The buttons' background, and the text on it. */
  readonly accent: string
  readonly onAccent: string
  /** Links and focus marks on the page's background. */
  readonly link: string
}

type Rgb = readonly [number, number, number]

/** The backgrounds on which accents have least contrast; the style sheet has the same. */
export const backgrounds = { light: '#f4f5f7', dark: '#1b2028' } as const

const white: Rgb = [255, 255, 255]
const black: Rgb = [0, 0, 0]
const enough = 4.5

/** The shades of a `#rrggbb` accent on a light or dark page. */
export function shades(accent: string, scheme: 'light' | 'dark'): Shades {
  const link = readable(
    parse(accent),
    parse(backgrounds[scheme]),
    scheme === 'light' ? black : white,
  )
  const button = scheme === 'light' ? parse(accent) : link
  return {
    accent: show(button),
    onAccent: show(contrast(button, white) >= enough ? white : black),
    link: show(link),
  }
}

/** The contrast of two `#rrggbb` colours, 1 to 21 (WCAG 2.2, contrast ratio). */
export function contrastRatio(one: string, other: string): number {
  return contrast(parse(one), parse(other))
}

/** The colour, mixed with as little black or white as makes it readable. */
function readable(colour: Rgb, background: Rgb, towards: Rgb): Rgb {
  for (let part = 0; part < 100; part += 2) {
    const mixed = mix(colour, towards, part / 100)
    if (contrast(mixed, background) >= enough) return mixed
  }
  return towards
}

function mix(colour: Rgb, other: Rgb, part: number): Rgb {
  const at = (index: 0 | 1 | 2) => Math.round(colour[index] * (1 - part) + other[index] * part)
  return [at(0), at(1), at(2)]
}

function contrast(one: Rgb, other: Rgb): number {
  const [a, b] = [luminance(one), luminance(other)]
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
}

function luminance(colour: Rgb): number {
  const [red, green, blue] = colour.map((value) => {
    const part = value / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0)
}

function parse(text: string): Rgb {
  const at = (index: number) => Number.parseInt(text.slice(index, index + 2), 16)
  return [at(1), at(3), at(5)]
}

function show(colour: Rgb): string {
  return `#${colour.map((value) => value.toString(16).padStart(2, '0')).join('')}`
}
