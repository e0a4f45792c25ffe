import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { shades } from '../colour.ts'
import type { Config } from '../config/config.ts'
import { ForgotError } from '../errors.ts'
import type { Templates } from '../templates.ts'

/** A file that pages load: its name tells its content, so that browsers may keep it for ever. */
export interface Asset {
  /** Where it is served: `/user/forgot-password/assets/style.1a2b3c4d5e.css`. */
  readonly path: string
  readonly type: string
  readonly body: Buffer
}

export interface Assets {
  readonly style: Asset
  readonly script: Asset
  readonly logo: Asset | null
  /** What the mailbox and the sample site add. */
  readonly demo: Asset
}

/** Where a file of this name is served. */
export type AssetPath = (name: string) => string

/** For what never changes under its name. */
export const longCache = 'public, max-age=31536000, immutable'

const cssType = 'text/css; charset=utf-8'
const imageTypes: Readonly<Record<string, string>> = {
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
}

/**
 * The style sheet with the site's accent and its own rules, the script and the logo. Names are hashed
 * here and not when the package is built: the content is known only once the configuration is.
 */
export function loadAssets(
  { route, theme }: Config,
  templates: Templates,
  assetPath: AssetPath = (name) => `${route}/assets/${name}`,
): Assets {
  const read = (file: string) => readFileSync(templates.find(file))
  const asset = (name: string, extension: string, type: string, body: Buffer): Asset => {
    const hash = createHash('sha256').update(body).digest('hex').slice(0, 10)
    return { path: assetPath(`${name}.${hash}${extension}`), type, body }
  }
  const image = (file: string) => asset('logo', extname(file), imageType(file), readFileSync(file))
  const style = [
    read('assets/style.css'),
    accentRules(theme.accent),
    theme.css === null ? '' : readFileSync(theme.css),
  ].join('')
  return {
    style: asset('style', '.css', cssType, Buffer.from(style)),
    script: asset('script', '.js', 'text/javascript; charset=utf-8', read('assets/script.js')),
    demo: asset('demo', '.css', cssType, read('demo/demo.css')),
    logo: theme.logo === null ? null : image(theme.logo),
  }
}

function accentRules(accent: string): string {
  const rules = (scheme: 'light' | 'dark') => {
    const { accent: button, onAccent, link } = shades(accent, scheme)
    return `:root{--accent:${button};--on-accent:${onAccent};--link:${link}}`
  }
  return `${rules('light')}@media(prefers-color-scheme:dark){${rules('dark')}}\n`
}

function imageType(file: string): string {
  const type = imageTypes[extname(file).toLowerCase()]
  if (type !== undefined) return type
  throw new ForgotError('ERR_FORGOT_CONFIG', `theme.logo: ${file} must be SVG, PNG, JPEG or WebP`)
}
