import { type Language, type Languages, mailFiles } from '../languages.ts'
import { mailKinds } from '../mail/message.ts'
import { table } from './table.ts'

/** How far a language is, in one place. */
interface LanguageStats {
  readonly tag: string
  /** In English. */
  readonly name: string
  readonly isOwn: boolean
  /** `null` where nothing is said of it. */
  readonly status: string | null
  readonly formality: string | null
  /** How many of the English texts it has. */
  readonly texts: number
  readonly allTexts: number
  readonly mails: number
  readonly allMails: number
}

/** Every language in the order of the tags, the built-in one before the site's own. */
export function languageStats({ all, english }: Languages): LanguageStats[] {
  const keys = [...english.keys()]
  return [...all]
    .sort((one, other) =>
      one.tag === other.tag
        ? Number(one.isOwn) - Number(other.isOwn)
        : Number(one.tag > other.tag) - Number(one.tag < other.tag),
    )
    .map((language) => ({
      tag: language.tag,
      name: nameOf(language.tag),
      isOwn: language.isOwn,
      status: said(language, 'status'),
      formality: said(language, 'formality'),
      texts: keys.filter((key) => language.texts?.messages.has(key)).length,
      allTexts: keys.length,
      mails: mailFiles(language).size,
      allMails: mailKinds.length,
    }))
}

/** The last column holds what people wrote, in letters of any width. */
export function statsTable(stats: readonly LanguageStats[]): string {
  return table(
    ['tag', 'name', 'status', 'texts', 'mails', 'from', 'formality'],
    stats.map((each) => [
      each.tag,
      each.name,
      each.status ?? '',
      `${each.texts}/${each.allTexts}`,
      `${each.mails}/${each.allMails}`,
      each.isOwn ? 'own' : 'built in',
      each.formality ?? '',
    ]),
  )
}

function said({ texts }: Language, name: 'status' | 'formality'): string | null {
  const value = texts?.meta[name]
  return typeof value === 'string' ? value : null
}

function nameOf(tag: string): string {
  return new Intl.DisplayNames('en', { type: 'language' }).of(tag) ?? tag
}
