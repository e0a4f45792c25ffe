import type { Asset } from '../respond/assets.ts'
import type { Choice } from './choice.ts'

type Theme = Choice['theme']

const scheme = /\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)/gi
// A condition and not a whole query, so that it may stand beside others.
const [always, never] = ['(min-width:0)', '(min-width:99999px)']

/** A style sheet, or HTML with one in it, that is light or dark whatever the reader's system says. */
export function forceTheme(text: string, theme: Theme): string {
  return text
    .replace(scheme, (_, wanted: string) => (wanted.toLowerCase() === theme ? always : never))
    .replace(/(\bcolor-scheme\s*:\s*)light dark\b/gi, `$1${theme}`)
    .replace(/(<meta name="(?:supported-)?color-schemes?" content=")light dark"/gi, `$1${theme}"`)
}

/** A file as an address that holds it: what is sandboxed may load nothing from its own site. */
export function dataUrl({ type, body }: Pick<Asset, 'type' | 'body'>): string {
  return `data:${type.replace(/ /g, '')};base64,${body.toString('base64')}`
}
