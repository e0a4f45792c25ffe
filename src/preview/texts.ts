import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Config } from '../config/config.ts'
import { Locale } from '../locale/locale.ts'
import { Locales } from '../locale/locales.ts'
import { type PlacedFile, readPlacedFile } from '../locale/places.ts'
import { pseudoMail, pseudoMessages, pseudoTags } from '../locale/pseudo.ts'
import { mailKinds } from '../mail/message.ts'
import { packagePath, Templates } from '../templates.ts'
import { readText } from '../text.ts'
import type { TextPlace } from './keys.ts'

const sourceTag = 'en'

/**
 * The pseudo-locales of a site, made from its English texts.
 *
 * @param locales The languages there are.
 */
function pseudoLocales(locales: Locales): readonly Locale[] {
  const english = locales.exact(sourceTag)?.chain.get(sourceTag) ?? new Map()
  return pseudoTags.map((tag) => new Locale(tag, [tag], () => pseudoMessages(english, tag)))
}

/**
 * The site's templates, and beside them the mails of the pseudo-locales, made from the English ones.
 *
 * @param own The site's own folder, or `null`.
 * @param isWhole Whether pages are whole; default: they are.
 */
export function pseudoTemplates(own: string | null, isWhole = true): Templates {
  const templates = new Templates(own)
  const made = pseudoTags.flatMap((tag) =>
    mailKinds.map((kind) => {
      const source = readText(templates.find(`email/${sourceTag}/${kind}.eta`))
      return [`email/${tag}/${kind}.eta`, pseudoMail(source, tag)] as const
    }),
  )
  return new Templates(own, { debug: true, isWhole, made: new Map(made) })
}

/** Every language of a site, the pseudo-locales among them, and where each of their texts stands. */
export class Texts {
  readonly locales: Locales
  /** Those that can be shown: what is on offer, then what is not, then the pseudo-locales. */
  readonly all: readonly Locale[]
  readonly #own: string | null
  readonly #placed = new Map<string, PlacedFile>()

  /** @throws {ForgotError} `ERR_FORGOT_TEMPLATE` when a file cannot be read. */
  constructor(config: Config['locales']) {
    this.locales = Locales.load(config)
    const { all: offered } = this.locales
    const others =
      config.offer === 'auto'
        ? []
        : Locales.load({ ...config, offer: 'auto' }).all.filter(({ tag }) => !this.isOffered(tag))
    this.all = [...offered, ...others, ...pseudoLocales(this.locales)]
    this.#own = config.dir
  }

  isOffered(tag: string): boolean {
    return this.locales.all.some((each) => each.tag === tag)
  }

  /** The languages as a page in this one has them: what is looked at is on offer while it is. */
  offeredWith(locale: Locale, defaultTag: string): Locales {
    if (this.isOffered(locale.tag)) return this.locales
    const all = [...this.locales.all, locale]
    const tags = all.map(({ tag }) => tag)
    return new Locales(all, tags, defaultTag)
  }

  /** Where the text stands that a language shows under a key; `null` when there is none. */
  find(locale: Locale, key: string): TextPlace | null {
    const tag = locale.tagOf(key)
    if (tag === null) return null
    const isOwn = isSameLanguage(tag, locale.tag)
    return {
      tag,
      place: this.#placeOf(tag, key),
      missingIn: isOwn ? null : this.#fileFor(locale.tag),
    }
  }

  /** The keys whose texts a language shows in another. */
  missing(locale: Locale): readonly string[] {
    const english =
      this.locales.exact(sourceTag)?.chain.get(sourceTag) ?? new Map<string, unknown>()
    return [...english.keys()].filter((key) => {
      const tag = locale.tagOf(key)
      return tag === null || !isSameLanguage(tag, locale.tag)
    })
  }

  #placeOf(tag: string, key: string): string {
    const files = this.#filesOf(originOf(tag))
    for (const file of files) {
      const placed = this.#read(file, tag)
      if (placed.messages.has(key)) return `${shownPath(file)}:${placed.place(key).line}`
    }
    return shownPath(files[0] ?? tag)
  }

  /** The file that a text is to be added to. */
  #fileFor(tag: string): string {
    const [file] = this.#filesOf(tag)
    return shownPath(file ?? join(this.#own ?? packagePath('locales'), `${tag}.yaml`))
  }

  /** The site's own file first. */
  #filesOf(tag: string): string[] {
    const folders = [this.#own, packagePath('locales')].filter((folder) => folder !== null)
    return folders
      .flatMap((folder) => [join(folder, `${tag}.yaml`), join(folder, `${tag}.yml`)])
      .filter((file) => existsSync(file))
  }

  #read(file: string, tag: string): PlacedFile {
    let placed = this.#placed.get(file)
    if (placed === undefined) {
      placed = readPlacedFile(file, tag)
      this.#placed.set(file, placed)
    }
    return placed
  }
}

/** The language that another's texts stand in: a pseudo-locale's are made from English. */
export function originOf(tag: string): string {
  return pseudoTags.some((each) => each === tag) ? sourceTag : tag
}

/** A file's name as its owner knows it. */
export function shownPath(file: string): string {
  const short = relative(process.cwd(), file)
  return short.startsWith('..') ? file : short
}

function isSameLanguage(one: string, other: string): boolean {
  if (one === other) return true
  const [a, b] = [one, other].map((tag) => new Intl.Locale(tag).maximize())
  return a?.language === b?.language && a?.script === b?.script
}
