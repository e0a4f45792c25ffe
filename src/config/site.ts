import { z } from 'zod'
import type { Parsed } from './config.ts'
import { defaultFolders, link, siteUrl, text } from './values.ts'

/** `site:` */
export const site: z.ZodType<Parsed['site']> = z.strictObject({
  name: text('must be the name people know the site by')
    .max(60, 'must be 60 characters or fewer: it stands in every subject line')
    .default('Riverside')
    .describe('The name people know the site by: on every page and in every subject line.'),
  url: siteUrl
    .nullable()
    .default(null)
    .describe(
      'Where visitors reach the site: the base of every mailed link, never taken from a request. ' +
        'Required, unless no users are set (the demo). https, except on this machine.',
    ),
  loginUrl: link.default('/user/login').describe('Where "Sign in" leads.'),
  supportUrl: link
    .nullable()
    .default(null)
    .describe(
      'Where people who cannot help themselves find a person: a page or mailto:. null: no such link.',
    ),
})

const localeTag = z.string('must be a language such as fr or pt-BR').refine((tag) => {
  try {
    return Intl.getCanonicalLocales(tag).length === 1
  } catch {
    return false
  }
}, 'must be a language such as fr or pt-BR')

/** `locales:` */
export const locales: z.ZodType<Parsed['locales']> = z.strictObject({
  default: localeTag.default('en').describe('The language when nothing tells which one.'),
  offer: z
    .union([z.literal('auto'), z.array(localeTag).min(1)], 'must be auto or a list of languages')
    .default('auto')
    .describe('Languages on offer: auto for all there are, or a list.'),
  dir: z
    .string('must be a folder')
    .nullable()
    .default(defaultFolders.locales)
    .describe(
      'A folder with your own <language>.yaml: it may hold changed texts only, or a new language. Need not exist.',
    ),
})

/** `theme:` */
export const theme: z.ZodType<Parsed['theme']> = z.strictObject({
  accent: z
    .string('must be a colour such as #1d4ed8')
    .regex(/^#[0-9a-f]{6}$/i, 'must be a colour such as #1d4ed8')
    .default('#1d4ed8')
    .describe(
      'The colour of buttons and links; its shades for light, dark and text are worked out to 4.5:1 (WCAG 1.4.3).',
    ),
  logo: z
    .string('must be a file')
    .nullable()
    .default(null)
    .describe('An SVG, PNG, JPEG or WebP file shown instead of the name; null: the name.'),
  css: z
    .string('must be a file')
    .nullable()
    .default(null)
    .describe('A CSS file added after ours; null: none.'),
  layout: z
    .boolean('must be true or false')
    .default(true)
    .describe(
      'Whether pages are whole. false: each is a fragment without html, head and style sheet, for a page of your own to hold (docs/templates.md).',
    ),
})
