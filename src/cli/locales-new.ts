import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { isMap, isScalar, type Node, parseDocument, Scalar, stringify } from 'yaml'
import type { Config } from '../config/config.ts'
import { traceConfig } from '../config/load.ts'
import { defaultFolders } from '../config/values.ts'
import { ForgotError } from '../errors.ts'
import { readLanguages } from '../languages.ts'
import { categoriesOf, sourceMark } from '../locale/compare.ts'
import type { Messages } from '../locale/locale.ts'
import { offer } from '../locale/negotiate.ts'
import { type PseudoTag, pseudoMail, pseudoMessages, pseudoTags } from '../locale/pseudo.ts'
import { mailKinds } from '../mail/message.ts'
import { builtInTemplates, packagePath } from '../templates.ts'
import { UsageError } from './command.ts'
import { writeAll } from './locales-write.ts'

/** Where a site's own languages are, or would be. */
interface SiteFolders {
  readonly config: Config
  readonly locales: string
  readonly templates: string
  /** Whether there is a configuration that they are beside. */
  readonly hasFile: boolean
}

/** The folders of a site: those of its configuration, else the usual ones beside it or in the working folder. */
export function siteFolders(from: string | undefined): SiteFolders {
  const { config, file } = traceConfig(from)
  const base = file === null ? process.cwd() : dirname(resolve(file))
  return {
    config,
    locales: config.locales.dir ?? join(base, defaultFolders.locales),
    templates: config.templates ?? join(base, defaultFolders.templates),
    hasFile: file !== null,
  }
}

/**
 * Begins a language: the English texts and mails in files of its own.
 *
 * @returns The paths of the files.
 * @throws {UsageError} for a tag that is no language, or one that is built in.
 * @throws {ForgotError} `ERR_FORGOT_TEMPLATE` when one of the files is there already or cannot be written: then none is made.
 */
export function makeLanguage(tag: string, folders: SiteFolders, english: Messages): string[] {
  refuseTag(tag, folders.config)
  const files = new Map([
    [join(folders.locales, `${tag}.yaml`), englishTexts(tag, english)],
    ...mailKinds.map(
      (kind) => [join(folders.templates, 'email', tag, `${kind}.eta`), englishMail(kind)] as const,
    ),
  ])
  const spelling = join(folders.locales, `${tag}.yml`)
  const taken = [...files.keys(), spelling].find((file) => existsSync(file))
  if (taken !== undefined) {
    const message = `${taken} is there already: go on with it, or remove it first`
    throw new ForgotError('ERR_FORGOT_TEMPLATE', message)
  }
  writeAll(files)
  return [...files.keys()]
}

/** The texts of an invented language, as a language file has them. */
export function pseudoTexts(tag: PseudoTag, english: Messages): Readonly<Record<string, unknown>> {
  return nested(pseudoMessages(english, tag))
}

/** The files of an invented language, with the texts first, below a folder. */
export function pseudoFiles(
  tag: PseudoTag,
  english: Messages,
  folder: string,
): ReadonlyMap<string, string> {
  const texts = pseudoTexts(tag, english)
  return new Map([
    [
      join(folder, 'locales', `${tag}.yaml`),
      stringify({ _meta: { status: 'machine' }, ...texts }, { lineWidth: 0 }),
    ],
    ...mailKinds.map(
      (kind) =>
        [
          join(folder, 'templates', 'email', tag, `${kind}.eta`),
          pseudoMail(englishMail(kind), tag),
        ] as const,
    ),
  ])
}

function refuseTag(tag: string, config: Config): void {
  const canonical = canonicalOf(tag)
  const isLanguage = canonical !== null && nameOf(canonical) !== null
  if (!isLanguage || pseudoTags.some((each) => each === canonical)) {
    throw new UsageError(
      `locales new: ${tag} is no language; tags are such as de, pt-BR or zh-Hant`,
    )
  }
  if (canonical !== tag) throw new UsageError(`locales new: say ${canonical} for ${tag}`)
  const same = readLanguages(config).all.find(
    (each) => !each.isOwn && likely(each.tag) === likely(tag),
  )
  if (same === undefined) return
  throw new UsageError(
    `locales new: ${same.tag} is built in; to change texts of it, write these alone into ${same.tag}.yaml in your folder of languages`,
  )
}

function canonicalOf(tag: string): string | null {
  try {
    const [canonical = null] = Intl.getCanonicalLocales(tag.replaceAll('_', '-'))
    return canonical
  } catch {
    return null
  }
}

// None, several, not known, and none that has a code (ISO 639-2).
const noLanguages = new Set(['mis', 'mul', 'und', 'zxx'])

function nameOf(tag: string): string | null {
  const names = new Intl.DisplayNames('en', { type: 'language', fallback: 'none' })
  // With an extension, or subtags of somebody's own, it has no name.
  if (/-\w-/.test(tag) || noLanguages.has(new Intl.Locale(tag).language)) return null
  return names.of(tag) ?? null
}

/** `zh` is `zh-Hans-CN`. */
function likely(tag: string): string {
  return String(offer(tag)?.likely)
}

/** en.yaml with its comments, and with the plural forms that the language counts by. */
function englishTexts(tag: string, english: Messages): string {
  const document = parseDocument<Node>(
    readFileSync(join(packagePath('locales'), 'en.yaml'), 'utf8'),
  )
  for (const [key, message] of english) {
    if (typeof message === 'string') continue
    const forms = categoriesOf(tag).map((form) => [form, pluralForm(message, form)])
    document.setIn(key.split('.'), document.createNode(Object.fromEntries(forms)))
  }
  const mark = new Scalar(sourceMark(english))
  // Eight digits would be a number.
  mark.type = Scalar.QUOTE_DOUBLE
  document.set('_meta', document.createNode({ status: 'machine', formality: '…', source: mark }))
  const root = document.contents
  const first = isMap(root) ? root.items[0]?.key : undefined
  if (isScalar(first)) {
    const [, ...rest] = (first.commentBefore ?? '').split('\n')
    first.commentBefore = [
      ` ${nameOf(tag)}, to be translated: TRANSLATING.md tells how.`,
      ...rest,
    ].join('\n')
  }
  return document.toString({ lineWidth: 0 })
}

function pluralForm(
  message: Exclude<ReturnType<Messages['get']>, string | undefined>,
  form: string,
): string {
  return message[form as Intl.LDMLPluralRule] ?? message.other ?? ''
}

function englishMail(kind: string): string {
  return readFileSync(join(builtInTemplates, 'email', 'en', `${kind}.eta`), 'utf8')
}

/** `form.title` as `form: { title: … }`. */
function nested(texts: Messages): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [key, message] of texts) {
    const names = key.split('.')
    let map = root
    for (const name of names.slice(0, -1)) {
      map[name] ??= {}
      map = map[name] as Record<string, unknown>
    }
    map[names.at(-1) ?? ''] = message
  }
  return root
}
