import { join } from 'node:path'
import type { Config } from './config/config.ts'
import { type Language, type Languages, mailFiles } from './languages.ts'
import { inheritedKeys, standsIn } from './locale/check.ts'
import { type Finding, type Rule, start } from './locale/finding.ts'
import { lintTexts } from './locale/lint.ts'
import type { Messages } from './locale/locale.ts'
import { Locales } from './locale/locales.ts'
import { lintMail } from './mail/lint.ts'
import { mailKinds } from './mail/message.ts'
import { Proofreader } from './proofread.ts'
import { readText, TextError } from './text.ts'

interface CheckOptions {
  /** The languages to be looked at; default: all, but pages and mails of those on offer alone. */
  readonly tags?: readonly string[]
  /** Whether a site's own languages have to be complete as well; default: they need not. */
  readonly isStrict?: boolean
}

/**
 * What is wrong with texts, mails and pages, in the order of files and lines.
 *
 * @throws {ForgotError} when the configuration names a language or a file that is not there.
 */
export async function checkLanguages(
  config: Config,
  languages: Languages,
  { tags, isStrict = false }: CheckOptions = {},
): Promise<Finding[]> {
  const wanted = languages.all.filter(({ tag }) => tags?.includes(tag) ?? true)
  const own = ownTexts(languages, config.locales.default)
  const found = [
    ...(tags === undefined ? languages.misnamed.map(misnamed) : []),
    ...wanted.flatMap((each) => textFindings(each, languages, { own, isStrict })),
    ...unwritten(config.locales, languages)
      .filter(({ tag }) => tags?.includes(tag) ?? true)
      .flatMap((each) => textFindings(each, languages, { own, isStrict })),
    ...wanted.flatMap((each) => mailFindings(each, languages)),
    ...wanted.flatMap((each) => missingMails(each, languages, isStrict)),
  ]
  found.push(...(await renderedFindings(config, languages, tags, found)))
  return found.sort(
    (one, other) =>
      (one.file < other.file ? -1 : Number(one.file > other.file)) ||
      one.line - other.line ||
      one.column - other.column,
  )
}

function misnamed(file: string): Finding {
  const text = 'must be named after its language, such as pt-BR.yaml'
  return { file, ...start, key: '', rule: 'name', level: 'fault', text }
}

/** The texts that a site's own templates ask for: those of its default language and of English. */
function ownTexts({ all }: Languages, defaultTag: string): Messages {
  const files = all.filter(({ tag, isOwn }) => isOwn && (tag === defaultTag || tag === 'en'))
  const texts = files.flatMap((each) => [...(each.texts?.messages ?? [])])
  return new Map(texts.filter(([key]) => key.startsWith('own.')))
}

/** The languages that a site has chosen to offer and has no file for: they lack its own texts all the same. */
function unwritten({ dir, offer }: Config['locales'], { all }: Languages): Language[] {
  if (dir === null || offer === 'auto') return []
  const isWritten = (tag: string) =>
    all.some((each) => each.isOwn && each.tag === tag && each.texts !== null)
  return offer
    .filter((tag) => !isWritten(tag))
    .map((tag) => {
      const path = join(dir, `${tag}.yaml`)
      const nothing = { messages: new Map(), textless: [], broken: [], meta: {} }
      return { tag, isOwn: true, texts: { path, tag, ...nothing, place: () => start }, mails: null }
    })
}

function textFindings(
  { texts, isOwn }: Language,
  { all, english }: Languages,
  { own, isStrict }: { readonly own: Messages; readonly isStrict: boolean },
): Finding[] {
  if (texts === null) return []
  const others = all.flatMap((each) => each.texts ?? [])
  const inherited = isOwn ? inheritedKeys(texts, others) : new Set<string>()
  return lintTexts(texts, { english, inherited, isOwn, isStrict, own: isOwn ? own : new Map() })
}

function mailFindings(language: Language, { all }: Languages): Finding[] {
  const { tag, isOwn } = language
  const english = all.find((each) => each.tag === 'en' && !each.isOwn)
  const originals = english === undefined ? new Map<string, string>() : mailFiles(english)
  return [...mailFiles(language)].flatMap(([kind, file]) => {
    try {
      const source = readText(file)
      const original = readText(originals.get(kind) ?? file)
      return lintMail({ file, source, tag, isOwn }, original)
    } catch (error) {
      if (!(error instanceof TextError)) throw error
      const { message: text, place } = error
      return [{ file, ...(place ?? start), key: '', rule: 'syntax', level: 'fault', text }]
    }
  })
}

/** A language without texts has mails for whoever knows why. */
function missingMails(language: Language, { all }: Languages, isStrict: boolean): Finding[] {
  const { tag, isOwn, texts, mails } = language
  if (texts === null) return []
  const withMails = all.filter((each) => mailFiles(each).size > 0).map((each) => each.tag)
  const standing = isOwn
    ? all.filter((each) => standsIn(each.tag, tag, [...new Set([...withMails, tag])]))
    : [language]
  const there = new Set(standing.flatMap((each) => [...mailFiles(each).keys()]))
  const missing = mailKinds.filter((kind) => !there.has(kind))
  const [first, ...others] = missing
  if (first === undefined) return []
  if (isOwn && !isStrict) {
    const more = others.length === 0 ? '' : ` and ${others.length} more`
    const text = `${missing.length} of ${mailKinds.length} mails are missing and come in another language: ${first}${more}`
    return [{ file: texts.path, ...start, key: '', rule: 'missing', level: 'warning', text }]
  }
  return missing.map((kind) => ({
    file: mails === null ? texts.path : join(mails, `${kind}.eta`),
    ...{ ...start, key: '', rule: 'missing', level: 'fault', text: `the mail ${kind} is missing` },
  }))
}

const unreadable = new Set<Rule>(['name', 'syntax', 'duplicate'])

async function renderedFindings(
  config: Config,
  languages: Languages,
  tags: readonly string[] | undefined,
  told: readonly Finding[],
): Promise<Finding[]> {
  // What cannot be read cannot be shown either.
  const isBroken = languages.all.some(({ texts }) => (texts?.broken.length ?? 0) > 0)
  if (isBroken || told.some(({ rule }) => unreadable.has(rule))) return []
  const { offer: offered } = config.locales
  const locales = Locales.load({ ...config.locales, offer: 'auto' })
  const proofreader = new Proofreader(config, locales)
  const isWanted = (tag: string) => (tags ?? (offered === 'auto' ? [tag] : offered)).includes(tag)
  const found: Finding[] = []
  for (const locale of locales.all.filter(({ tag }) => isWanted(tag))) {
    found.push(...(await proofreader.read(locale)))
  }
  const english = new Set(
    told.filter(({ rule }) => rule === 'untranslated').map(({ file }) => file),
  )
  const follows = new Set<Rule>(['leftover', 'preheader'])
  return found.filter(({ rule, file }) => !follows.has(rule) || !english.has(file))
}
