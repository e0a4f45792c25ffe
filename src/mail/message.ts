import { compile, type FormatCallback } from 'html-to-text'
import { contrastRatio, type Shades } from '../colour.ts'
import { escapeHtml } from '../html.ts'
import { directionOf, type Locale } from '../locale/locale.ts'
import type { Templates } from '../templates.ts'
import type { Message } from './mailer.ts'

/** What the templates in `templates/email` can print, as `it.<name>`. */
export interface MailData {
  readonly site: string
  /** The address of the account the mail is about. */
  readonly account: string
  /** `''` when it is not known. */
  readonly name: string
  /** The form where a recovery begins. */
  readonly formUrl: string
  /** Where people sign in. */
  readonly loginUrl: string
  /** `''` when the site has no such page. */
  readonly supportUrl: string
  /** `K7Q4-MZ8P`. */
  readonly reference: string
  /** Where the person says that it was not them. */
  readonly revokeUrl: string
  readonly colours: { readonly light: Shades; readonly dark: Shades }
  /** The mail `link`, and the mail `code` where links are on. */
  readonly link?: string
  /** `in 60 minutes`. */
  readonly expiresIn?: string
  /** With the day, the hour and `UTC`. */
  readonly expiresAt?: string
  /** The mail `code` only: digits, as they are to be typed. */
  readonly code?: string
  /** Where to type the code on another device; the code is not in it. */
  readonly codeUrl?: string
  readonly codeExpiresIn?: string
  readonly codeExpiresAt?: string
  /** The mail `changed` only. */
  readonly changedAt?: string
}

/** The mails there are: each language has a template of each. */
export const mailKinds = ['link', 'code', 'changed', 'no-account', 'elsewhere'] as const
export type MailKind = (typeof mailKinds)[number]

const longestTextLine = 76

/** The language of the nearest template of a kind: a language may have pages but no mails yet. */
export function mailLanguage(templates: Templates, kind: MailKind, locale: Locale): string {
  return locale.tags.find((tag) => templates.has(`email/${tag}/${kind}.eta`)) ?? locale.tag
}

/**
 * The mail of one kind in one language: HTML from `templates/email/<language>/<kind>.eta` in the shared
 * layout, and its text made from the same, so that the two cannot drift apart.
 */
export function compose(
  templates: Templates,
  { kind, language }: { readonly kind: MailKind; readonly language: string },
  to: { readonly id: string; readonly address: string },
  data: MailData,
): Message {
  const template = `email/${language}/${kind}`
  const { light, dark } = data.colours
  const colours = { light: temper(light), dark: temper(dark) }
  const it = { ...data, colours, lang: language, dir: directionOf(language), own, digits, url }
  const button = (label: string, href: string) =>
    templates.render('email/button', { ...it, label, href })
  const { subject = '', preheader = '' } = templates.renderHead(template, it)
  const body = templates.render(template, { ...it, button })
  const html = templates.render('email/layout', {
    ...it,
    subject,
    preheader,
    body: styled(body, colours.light.link),
  })
  return { id: to.id, to: to.address, subject, html, text: plainText(html), language }
}

/** An address or a number within a sentence: it keeps its direction in every script. */
function own(value: string): string {
  // An address must be allowed to break on a narrow screen, a reference not.
  const wrap = value.includes('@') ? '' : ';white-space:nowrap'
  return `<span dir="ltr" style="font-weight:600${wrap}">${escapeHtml(value)}</span>`
}

/** A code on a line of its own, as one word to copy: it is spaced by its style alone. */
function digits(code: string): string {
  const style = `margin:0 0 24px;padding:16px 0;background:#f4f5f7;border-radius:12px;${spaced}`
  return `<p class="page" dir="ltr" style="${style}">${escapeHtml(code)}</p>`
}

/** The address of a page, as a link in a paragraph of its own. */
function url(href: string): string {
  const address = escapeHtml(href)
  return `<p dir="ltr" style="margin:0 0 16px;font-size:14px;word-break:break-all"><a class="soft" href="${address}" style="color:#535b68">${address}</a></p>`
}

// Some mail programs invert pure white and black in dark mode, and leave the colours beside them.
const tempered: Readonly<Record<string, string>> = { '#ffffff': '#fefefe', '#000000': '#010101' }

/** The same shades without pure white or black; on the accent stands the one of the two that reads better. */
function temper({ accent, link }: Shades): Shades {
  const fill = tempered[accent] ?? accent
  const [onAccent = ''] = Object.values(tempered).sort(
    (one, other) => contrastRatio(other, fill) - contrastRatio(one, fill),
  )
  return { accent: fill, onAccent, link: tempered[link] ?? link }
}

const spaced = 'font-size:30px;font-weight:700;letter-spacing:4px;text-align:center'
const small = 'font-size:14px;color:#535b68'
const firstSmall = `margin:28px 0 12px;padding:20px 0 0;border-top:1px solid #d9dde3;${small}`

// Many mail programs ignore a style sheet: each element that a translator writes gets its own style.
const styles: readonly (readonly [tag: string, styled: string])[] = [
  ['<h1>', '<h1 style="margin:0 0 20px;font-size:24px;line-height:1.3">'],
  ['<p><small>', `<p class="soft" style="margin:0 0 12px;${small}">`],
  ['</small></p>', '</p>'],
  ['<p>', '<p style="margin:0 0 16px">'],
]

function styled(body: string, linkColour: string): string {
  // The first small print has a line above it, which sets all of it apart.
  const begun = body.replace('<p><small>', `<p class="soft" style="${firstSmall}">`)
  const html = styles.reduce((text, [tag, replacement]) => text.replaceAll(tag, replacement), begun)
  return html.replaceAll('<a class="plain"', `<a class="plain" style="color:${linkColour}"`)
}

/** A link as its label, and below it the address alone on its line: nothing can be taken for a part of it. */
const ownLine: FormatCallback = (link, walk, builder) => {
  const href: string = link.attribs.href ?? ''
  const isLabelled = link.children.every((child) => child.data !== href)
  if (isLabelled) walk(link.children, builder)
  builder.openBlock()
  builder.addInline(href, { noWordTransform: true })
  builder.closeBlock()
}

// Made once: to read these rules takes longer than to follow them.
const toText = compile({
  wordwrap: longestTextLine,
  // Where there are no blanks, as in Chinese and Japanese, a line ends behind a clause.
  longWordSplit: { wrapCharacters: ['。', '、', '，', '；', '：'], forceWrapOnLimit: false },
  baseElements: { selectors: ['td.card'] },
  formatters: { ownLine },
  selectors: [
    { selector: 'h1', options: { uppercase: false } },
    { selector: 'a', format: 'ownLine' },
    { selector: 'a.button', format: 'anchor', options: { ignoreHref: true } },
    { selector: 'table', format: 'block' },
  ],
})

function plainText(html: string): string {
  return `${toText(html).trim()}\n`
}
