import { nearest } from '../nearest.ts'
import type { LocaleFile } from './files.ts'
import type { Message } from './locale.ts'
import { match, offer } from './negotiate.ts'

type Texts = LocaleFile['messages']

/**
 * What is odd in a site's own language files, a line each: values that are no text, keys that are
 * unknown, placeholders that nothing fills in or that are left out, texts that are not there yet.
 *
 * @param builtIn The files that come with the module, with the source language `en` among them.
 */
export function checkLocaleFiles(
  own: readonly LocaleFile[],
  builtIn: readonly LocaleFile[],
): string[] {
  const source = builtIn.find(({ tag }) => tag === 'en')?.messages ?? new Map()
  const tags = [...new Set([...builtIn, ...own].map(({ tag }) => tag))]
  return own.flatMap((file) => {
    const notes = [
      ...file.textless.map((key) => `${key}: must be text, in quotes if need be`),
      ...[...file.messages].flatMap(([key, message]) => keyNotes(key, message, source)),
    ]
    const known = [...own, ...builtIn].filter(({ tag }) => standsIn(tag, file.tag, tags))
    const missing = [...source.keys()].filter(
      (key) => !known.some((each) => each.messages.has(key)),
    )
    if (missing.length > 0) notes.push(missingNote(missing, source.size))
    return notes.map((note) => `${file.path}: ${note}`)
  })
}

function keyNotes(key: string, message: Message, source: Texts): string[] {
  const original = source.get(key)
  if (original === undefined) {
    // Texts that a site's own templates ask for.
    if (key.startsWith('own.')) return []
    const near = nearest(key, [...source.keys()])
    return [`${key}: unknown key${near === null ? '' : ` (did you mean ${near}?)`}`]
  }
  const known = placeholders(original)
  const used = placeholders(message)
  return [
    ...used
      .filter((name) => name !== 'count' && !known.includes(name))
      .map((name) => `${key}: nothing fills in {${name}}${listed(known)}`),
    ...known.filter((name) => !used.includes(name)).map((name) => `${key}: leaves out {${name}}`),
  ]
}

/** Whether a language's texts are shown to readers of another before any foreign one's. */
function standsIn(tag: string, wish: string, tags: readonly string[]): boolean {
  if (tag === wish) return true
  const { language, script } = new Intl.Locale(wish).maximize()
  return (
    tag ===
    match(
      `${language}-${script}`,
      tags.flatMap((each) => offer(each) ?? []),
    )
  )
}

function missingNote(missing: readonly string[], total: number): string {
  const [first = ''] = missing
  const others = missing.length === 1 ? '' : ` and ${missing.length - 1} more`
  return `${missing.length} of ${total} texts are missing and shown in another language: ${first}${others}`
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? '' : `; there is ${names.map((name) => `{${name}}`).join(', ')}`
}

function placeholders(message: Message): string[] {
  const text = typeof message === 'string' ? message : Object.values(message).join(' ')
  return [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name))]
}
