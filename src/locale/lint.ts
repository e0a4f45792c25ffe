import { nearest } from '../nearest.ts'
import { categoriesOf, formsOf, isSameLanguage, sameKeys } from './compare.ts'
import type { Fault, Finding, Level, Place, Rule } from './finding.ts'
import { holds, phrasesOf, wordsIn } from './leftovers.ts'
import type { Message, Messages } from './locale.ts'
import { metaFaults } from './meta.ts'
import type { PlacedFile } from './places.ts'
import { lengthFault, wordingFaults } from './wording.ts'

export interface LintOptions {
  /** The texts of the source language. */
  readonly english: Messages
  /** Whether it is the site's own, which may hold as few texts as it likes. */
  readonly isOwn: boolean
  /** Whether every text has to be there all the same; default: it has not. */
  readonly isStrict?: boolean
  /** The keys whose texts come from the same language elsewhere; default: none. */
  readonly inherited?: ReadonlySet<string>
  /** What the site has beyond the texts of the source language; default: nothing. */
  readonly own?: Messages
}

/** What is wrong in one language file, in the order of its lines. */
export function lintTexts(file: PlacedFile, options: LintOptions): Finding[] {
  const { english } = options
  const found: Finding[] = []
  const add = (key: string, faults: readonly Fault[], place: Place = file.place(key)) =>
    found.push(...faults.map((fault) => ({ file: file.path, ...place, key, ...fault })))
  for (const { key, place, rule, text } of file.broken) {
    add(key, [{ rule, level: 'fault', text }], place)
  }
  if (found.some(({ rule }) => rule === 'syntax')) return found
  for (const { key, ...fault } of metaFaults(file, options)) add(key, [fault])
  for (const key of file.textless) {
    add(key, [fault('textless', 'must be text, in quotes if need be')])
  }
  // A single word may be the same in two languages.
  const phrases = phrasesOf(english).filter((phrase) => wordsIn(phrase) > 1)
  for (const [key, message] of file.messages) {
    if (!english.has(key)) add(key, unknownFaults(key, english, file.tag))
    else add(key, textFaults(key, message, { file, phrases, ...options }))
  }
  for (const { key, ...fault } of missingFaults(file, options)) add(key, [fault])
  for (const { key, ...fault } of orderFaults(file, english)) add(key, [fault])
  return found.sort((one, other) => one.line - other.line || one.column - other.column)
}

function fault(rule: Rule, text: string, level: Level = 'fault'): Fault {
  return { rule, level, text }
}

function unknownFaults(key: string, english: Messages, tag: string): Fault[] {
  // Texts that a site's own templates ask for.
  if (key.startsWith('own.')) return []
  const above = english.get(key.slice(0, Math.max(0, key.lastIndexOf('.'))))
  if (above !== undefined && typeof above !== 'string') return [pluralFault(tag)]
  const near = nearest(key, [...english.keys()])
  return [fault('unknown', `unknown key${near === null ? '' : ` (did you mean ${near}?)`}`)]
}

function textFaults(
  key: string,
  message: Message,
  { file, english, isOwn, phrases }: LintOptions & { file: PlacedFile; phrases: readonly string[] },
): Fault[] {
  const { tag, meta } = file
  const original = english.get(key) ?? ''
  const longest = formsOf(original).at(-1)?.[1] ?? ''
  const isForeign = !isSameLanguage(tag, 'en')
  const isSame = isForeign && sameKeys(new Map([[key, message]]), english).length > 0
  const isAllowed = Array.isArray(meta['same']) && meta['same'].includes(key)
  const perForm = formsOf(message).flatMap(([form, text]) =>
    [
      ...wordingFaults(text, tag, isOwn),
      ...lengthFault(text, longest),
      ...(isForeign ? leftoverFaults(text, phrases) : []),
    ]
      // A text that is English as a whole is told so once.
      .filter(({ rule }) => !isSame || (rule !== 'script' && rule !== 'leftover'))
      .map((each) => (form === '' ? each : { ...each, text: `in its form ${form}: ${each.text}` })),
  )
  return [
    ...placeholderFaults(message, original),
    ...categoryFaults(message, original, tag),
    ...(isSame && !isAllowed ? [fault('untranslated', 'is the English text')] : []),
    ...perForm,
  ]
}

function leftoverFaults(text: string, phrases: readonly string[]): Fault[] {
  const phrase = phrases.find((each) => holds(text, each))
  return phrase === undefined ? [] : [fault('leftover', `is in English: “${phrase}”`)]
}

function placeholderFaults(message: Message, original: Message): Fault[] {
  const known = placeholders(original)
  const list = known.map((name) => `{${name}}`).join(', ')
  const faults = formsOf(message).flatMap(([form, text]) => {
    const used = placeholders(text)
    const where = form === '' ? '' : ` in its form ${form}`
    return [
      ...used
        .filter((name) => name !== 'count' && !known.includes(name))
        .map((name) => `nothing fills in {${name}}${list === '' ? '' : `; there is ${list}`}`),
      ...known.filter((name) => !used.includes(name)).map((name) => `leaves out {${name}}${where}`),
    ]
  })
  return [...new Set(faults)].map((text) => fault('placeholders', text))
}

function categoryFaults(message: Message, original: Message, tag: string): Fault[] {
  if (typeof original === 'string') {
    return typeof message === 'string' ? [] : [fault('plural', 'must be one text, without forms')]
  }
  const wanted = categoriesOf(tag)
  const forms = formsOf(message).map(([form]) => form)
  const isExact = forms.length === wanted.length && forms.every((form) => wanted.includes(form))
  return isExact ? [] : [pluralFault(tag)]
}

function pluralFault(tag: string): Fault {
  return fault('plural', `must have exactly the plural forms ${categoriesOf(tag).join(', ')}`)
}

function missingFaults(
  file: PlacedFile,
  { english, isOwn, isStrict = false, inherited = new Set(), own = new Map() }: LintOptions,
): (Fault & { key: string })[] {
  const begun = [...file.messages.keys(), ...file.textless]
  const isHere = (key: string) =>
    begun.some((each) => each === key || each.startsWith(`${key}.`)) || inherited.has(key)
  const wanted = new Map([...english, ...own])
  const missing = [...wanted.keys()].filter((key) => !isHere(key))
  const [first, ...others] = missing
  if (first === undefined) return []
  if (!isOwn || isStrict) {
    return missing.map((key) => ({
      key,
      ...fault('missing', `is missing: “${formsOf(wanted.get(key) ?? '').at(-1)?.[1]}”`),
    }))
  }
  const more = others.length === 0 ? '' : ` and ${others.length} more`
  const text = `${missing.length} of ${wanted.size} texts are missing and shown in another language: ${first}${more}`
  return [{ key: '', ...fault('missing', text, 'warning') }]
}

/** The first key that is not where the English file has it. */
function orderFaults(file: PlacedFile, english: Messages): (Fault & { key: string })[] {
  const order = [...english.keys()]
  const keys = [...file.messages.keys()].filter((key) => english.has(key))
  const stray = keys.find(
    (key, index) => order.indexOf(key) < order.indexOf(keys[index - 1] ?? key),
  )
  if (stray === undefined) return []
  const before = keys[keys.indexOf(stray) - 1]
  const text = `stands after ${before}: en.yaml has it before`
  return [{ key: stray, ...fault('order', text, 'warning') }]
}

function placeholders(message: Message): string[] {
  const text = formsOf(message)
    .map(([, form]) => form)
    .join(' ')
  return [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name))]
}
