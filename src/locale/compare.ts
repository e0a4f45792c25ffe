import { createHash } from 'node:crypto'
import type { Message, Messages } from './locale.ts'

/** A mark of all English texts, which tells whether they have changed since. */
export function sourceMark(english: Messages): string {
  // In the order of the keys, so that to move one changes nothing.
  const texts = JSON.stringify([...english].sort(([one], [other]) => (one < other ? -1 : 1)))
  return createHash('sha256').update(texts).digest('hex').slice(0, 8)
}

/** The keys of which a language has the English text, in every form. */
export function sameKeys(texts: Messages, english: Messages): string[] {
  return [...texts.keys()].filter((key) => {
    const originals = formsOf(english.get(key) ?? '').map(([, text]) => text)
    const forms = formsOf(texts.get(key) ?? '').map(([, text]) => text)
    return forms.every((text) => originals.includes(text) && /\p{L}/u.test(text))
  })
}

/** Whether two languages are one, as `en` and `en-GB` are. */
export function isSameLanguage(one: string, other: string): boolean {
  return new Intl.Locale(one).language === new Intl.Locale(other).language
}

/** Each form with its category; of a text without forms, itself without a name. */
export function formsOf(message: Message): (readonly [form: string, text: string])[] {
  return typeof message === 'string' ? [['', message]] : Object.entries(message)
}

/** The plural forms that a language counts by. */
export function categoriesOf(tag: string): readonly string[] {
  return new Intl.PluralRules(tag).resolvedOptions().pluralCategories
}
