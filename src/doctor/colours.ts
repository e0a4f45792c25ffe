import { backgrounds, contrastRatio, shades } from '../colour.ts'
import type { Config } from '../config/config.ts'
import { readTemplate } from '../ejected.ts'
import type { Templates } from '../templates.ts'
import { type Finding, good, warning } from './finding.ts'

/** WCAG 2.2, 1.4.3: 4.5 for text; 1.4.11: 3 for the edges of fields. */
const pairs = [
  ['--text', '--card', 4.5],
  ['--text', '--page', 4.5],
  ['--soft', '--card', 4.5],
  ['--soft', '--page', 4.5],
  ['--link', '--card', 4.5],
  ['--link', '--page', 4.5],
  ['--on-accent', '--accent', 4.5],
  ['--bad', '--card', 4.5],
  ['--good', '--card', 4.5],
  ['--edge', '--card', 3],
] as const

type Scheme = 'light' | 'dark'
type Colours = ReadonlyMap<string, string | null>

/** Whether what the site's accent and style sheet make of the pages can be read, in light and in dark. */
export function examineColours(config: Config, templates: Templates): Finding[] {
  const { theme } = config
  const sheets = [
    readTemplate(templates.find('assets/style.css')),
    theme.css === null ? '' : readTemplate(theme.css),
  ]
  const faint = (['light', 'dark'] as const).flatMap((scheme) =>
    faintPairs(theme.accent, sheets, scheme),
  )
  // What is the same in both is told once.
  const told = new Map(faint.map((finding) => [finding.text, finding]))
  const found = [...accentFindings(theme.accent), ...told.values()]
  return found.length > 0
    ? found
    : [good('colours', `theme.accent: ${theme.accent} can be read everywhere`)]
}

/** Its shades can be read whatever it is; but they are then not the site's colour. */
function accentFindings(accent: string): Finding[] {
  const ratio = contrastRatio(accent, backgrounds.light)
  if (ratio >= 4.5) return []
  const { link } = shades(accent, 'light')
  const text = `theme.accent: ${accent} has a contrast of ${ratio.toFixed(1)}:1 on light pages, 4.5:1 is needed; links are shown in ${link} instead`
  return [warning('colours', text, `set theme.accent: '${link}', or a darker colour of yours`)]
}

function faintPairs(accent: string, sheets: readonly string[], scheme: Scheme): Finding[] {
  const { accent: fill, onAccent, link } = shades(accent, scheme)
  const [builtIn = '', own = ''] = sheets
  const colours: Colours = new Map([
    ...declared(builtIn, scheme),
    ...[['--accent', fill] as const, ['--on-accent', onAccent] as const, ['--link', link] as const],
    ...declared(own, scheme),
  ])
  const unread = [...colours].filter(([, colour]) => colour === null).map(([name]) => name)
  return [
    ...unread
      .filter((name) => pairs.some(([front, back]) => name === front || name === back))
      .map(unreadable),
    ...pairs.flatMap((pair) => faintPair(pair, colours, scheme)),
  ]
}

function unreadable(name: string): Finding {
  const text = `theme.css: ${name} is not written as #rrggbb, so its contrast was not examined`
  return warning('colours', text, 'write it so')
}

function faintPair(
  [front, back, least]: (typeof pairs)[number],
  colours: Colours,
  scheme: Scheme,
): Finding[] {
  const [one = null, other = null] = [colours.get(front), colours.get(back)]
  if (one === null || other === null) return []
  const ratio = contrastRatio(one, other)
  if (ratio >= least) return []
  const text = `theme.css: ${front} ${one} on ${back} ${other} has ${ratio.toFixed(1)}:1 in ${scheme}, ${least}:1 is needed`
  return [warning('colours', text, `give ${front} more contrast for people who see less`)]
}

/** The colours that a style sheet names in a scheme; `null` for one that is not written as `#rrggbb`. */
function declared(sheet: string, scheme: Scheme): (readonly [string, string | null])[] {
  const plain = sheet.replace(/\/\*[\s\S]*?\*\//g, '')
  const dark = /@media[^{]*prefers-color-scheme:\s*dark[^{]*\{((?:[^{}]*\{[^{}]*\})*[^{}]*)\}/g
  const others = /@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}/g
  const always = plain.replace(others, '')
  const inDark = [...plain.matchAll(dark)].map(([, part = '']) => part)
  return (scheme === 'light' ? [always] : [always, ...inDark]).flatMap((part) =>
    [...part.matchAll(/(--[\w-]+)\s*:\s*([^;}]+)/g)].map(
      ([, name = '', value = '']) => [name, readColour(value)] as const,
    ),
  )
}

function readColour(value: string): string | null {
  const [, colour] = /^(#(?:[0-9a-f]{6}|[0-9a-f]{3}))\s*(?:!important\s*)?$/i.exec(value) ?? []
  if (colour === undefined) return null
  return colour.length === 4 ? colour.replace(/[0-9a-f]/gi, (digit) => digit.repeat(2)) : colour
}
