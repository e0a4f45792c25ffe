import { formsOf, isSameLanguage } from './compare.ts'
import type { Fault } from './finding.ts'
import type { Locale, Messages } from './locale.ts'

// What is shorter is a word of many languages.
const shortestPhrase = 4

/** Finds what a page in another language has of English, and what it has instead of a text. */
export class Leftovers {
  readonly #phrases: readonly string[]
  readonly #bareKey: RegExp | null

  /**
   * @param texts English ones, without what is filled in.
   * @param groups The beginnings of keys, such as `form`.
   */
  constructor(texts: readonly string[], groups: readonly string[]) {
    const phrases = texts.map((text) => text.trim())
    this.#phrases = [...new Set(phrases)].filter(({ length }) => length >= shortestPhrase)
    this.#bareKey =
      groups.length === 0 ? null : new RegExp(`>\\s*((?:${groups.join('|')})\\.[\\w.-]+)\\s*<`, 'g')
  }

  /** For the pages in one language: what its texts have of English is told of their file, and not of each page. */
  static ofPages(locale: Locale, english: Locale | null): Leftovers {
    const texts: Messages = english?.chain.get('en') ?? new Map()
    const groups = new Set([...texts.keys(), 'own.'].map((key) => key.replace(/\..*$/, '')))
    if (isSameLanguage(locale.tag, 'en')) return new Leftovers([], [...groups])
    const shown = [...texts.keys()].flatMap((key) => {
      const tag = locale.tagOf(key)
      const message = tag === null ? undefined : locale.chain.get(tag)?.get(key)
      return formsOf(message ?? '').map(([, text]) => text)
    })
    const phrases = phrasesOf(texts).filter(
      (phrase) => !shown.some((text) => text.includes(phrase)),
    )
    return new Leftovers(phrases, [...groups])
  }

  /** What is left in HTML. */
  find(page: string): Fault[] {
    const html = page.replace(/<style\b[\s\S]*?<\/style>/gi, '')
    const found = this.#phrases.filter((phrase) => holds(html, phrase))
    const phrases = found
      .filter((phrase) => !found.some((other) => other !== phrase && other.includes(phrase)))
      .map((phrase) => `is in English: “${phrase}”`)
    const keys = this.#bareKey === null ? [] : [...html.matchAll(this.#bareKey)]
    return [
      ...phrases,
      ...keys.map(([, key]) => `shows a key that has no text: ${key}`),
      ...[...new Set(html.match(/\bundefined\b|\[object/g))].map((word) => `shows ${word}`),
    ].map((text) => ({ rule: 'leftover', level: 'fault', text }))
  }
}

/** What texts say, cut where something is filled in. */
export function phrasesOf(texts: Messages): string[] {
  return [...texts.values()].flatMap((message) =>
    formsOf(message).flatMap(([, text]) => text.split(/\{\w+\}/).map((part) => part.trim())),
  )
}

/** How many words a text has, in a script that puts blanks between them. */
export function wordsIn(text: string): number {
  return text.match(/\p{L}+/gu)?.length ?? 0
}

/** Whether a text holds a phrase, and not as a part of a longer word. */
export function holds(text: string, phrase: string): boolean {
  const parts = text.split(phrase)
  return parts.some(
    (part, index) => index > 0 && !/^\p{L}/u.test(part) && !/\p{L}$/u.test(parts[index - 1] ?? ''),
  )
}
