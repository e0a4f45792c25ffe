import { basename } from 'node:path'
import { escapeHtml } from '../html.ts'
import { Locale, type Values } from '../locale/locale.ts'

/** Where a text stands. */
export interface TextPlace {
  /** The file as the owner knows it, and the key's line in it. */
  readonly place: string
  /** The language that the text is in. */
  readonly tag: string
  /** The file that lacks the text, where the language shows another's; else `null`. */
  readonly missingIn: string | null
}

/** Finds a text by its key; `null` when there is no such text at all. */
type FindText = (key: string) => TextPlace | null

// Plane 15 is for private use: no text has these, not even one with an icon font (Unicode 16.0 §23.5).
const [opening, between, closing] = ['\u{FFF00}', '\u{FFF01}', '\u{FFF02}']
const marks = /\u{FFF00}(\d+)\u{FFF01}|(\u{FFF02})/gu

/** A language whose texts have marks around them that tell their keys. */
export class KeyedLocale extends Locale {
  readonly #keys: string[] = []

  constructor({ tag, tags, chain }: Locale) {
    super(tag, tags, (each) => chain.get(each) ?? new Map())
  }

  override text(key: string, values: Values = {}): string {
    return this.#mark(key, super.text(key, values))
  }

  override html(key: string, values: Values = {}): string {
    return this.#mark(key, super.html(key, values))
  }

  /** The keys of the texts that were asked for, in their order, each once. */
  get keys(): readonly string[] {
    return [...new Set(this.#keys)]
  }

  /** A page as a visitor gets it. */
  plain(html: string): string {
    return html.replace(marks, '')
  }

  /**
   * A page in which texts tell where they come from, on hover and as `data-key`: all of them, or only those
   * that are missing. In attributes and in the page's title there is no room for that.
   */
  tell(html: string, find: FindText, { isEach }: { readonly isEach: boolean }): string {
    return splitMarkup(html)
      .map((part, index) =>
        index % 2 === 0 ? this.#tellText(part, find, isEach) : this.plain(part),
      )
      .join('')
  }

  #mark(key: string, text: string): string {
    this.#keys.push(key)
    return `${opening}${this.#keys.length - 1}${between}${text}${closing}`
  }

  #tellText(text: string, find: FindText, isEach: boolean): string {
    // Texts may hold others: each end belongs to the last beginning.
    const open: boolean[] = []
    return text.replace(marks, (_, index: string | undefined) => {
      if (index === undefined) return open.pop() === true ? '</span>' : ''
      const key = this.#keys[Number(index)] ?? ''
      const found = find(key)
      const isTold = isEach || found?.missingIn !== null
      open.push(isTold)
      return isTold ? beginning(key, found) : ''
    })
  }
}

const markup = /(<title[^>]*>[\s\S]*?<\/title>|<!--[\s\S]*?-->|<(?:"[^"]*"|'[^']*'|[^'">])*>)/gi

/** Text and markup in turn, text first. */
function splitMarkup(html: string): string[] {
  return html.split(markup)
}

function beginning(key: string, found: TextPlace | null): string {
  const span = (attributes: Readonly<Record<string, string>>) => {
    const all = Object.entries({ 'data-key': key, ...attributes })
    return `<span ${all.map(([name, value]) => `${name}="${escapeHtml(value)}"`).join(' ')}>`
  }
  if (found === null) {
    return span({ 'data-missing': key, title: `${key}: there is no such text` })
  }
  const { place, tag, missingIn } = found
  if (missingIn === null) return span({ title: `${key} · ${place}` })
  return span({
    lang: tag,
    'data-missing': `${tag} · ${key} · ${basename(missingIn)}`,
    title: `${key} is missing in ${missingIn}; shown from ${place}`,
  })
}
