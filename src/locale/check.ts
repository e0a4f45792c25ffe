import type { LocaleFile } from './files.ts'
import { type Rule, showFinding } from './finding.ts'
import { lintTexts } from './lint.ts'
import type { Messages } from './locale.ts'
import { match, offer } from './negotiate.ts'
import { readPlacedFile } from './places.ts'

// What readers of the pages would notice; the rest is for "locales check".
const logged = new Set<Rule>(['textless', 'unknown', 'placeholders', 'missing'])

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
  const english: Messages = builtIn.find(({ tag }) => tag === 'en')?.messages ?? new Map()
  return own.flatMap((file) => {
    const inherited = inheritedKeys(file, [...own, ...builtIn])
    const options = { english, inherited, isOwn: true }
    return lintTexts(readPlacedFile(file.path, file.tag), options)
      .filter(({ rule }) => logged.has(rule))
      .map(showFinding)
  })
}

/** The keys whose texts a language has from other files: its own of another folder, and its general form. */
export function inheritedKeys(
  file: Pick<LocaleFile, 'path' | 'tag'>,
  files: readonly Pick<LocaleFile, 'path' | 'tag' | 'messages'>[],
): ReadonlySet<string> {
  const tags = [...new Set(files.map(({ tag }) => tag))]
  const others = files.filter(
    ({ path, tag }) => path !== file.path && standsIn(tag, file.tag, tags),
  )
  return new Set(others.flatMap(({ messages }) => [...messages.keys()]))
}

/** Whether a language's texts are shown to readers of another before any foreign one's. */
export function standsIn(tag: string, wish: string, tags: readonly string[]): boolean {
  if (tag === wish) return true
  const { language, script } = new Intl.Locale(wish).maximize()
  const offered = tags.flatMap((each) => offer(each) ?? [])
  return tag === match(`${language}-${script}`, offered)
}
