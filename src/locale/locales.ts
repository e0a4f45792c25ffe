import type { Config } from '../config/config.ts'
import { ForgotError } from '../errors.ts'
import { packagePath } from '../templates.ts'
import { checkLocaleFiles } from './check.ts'
import { builtInLocaleFiles, readLocaleFiles } from './files.ts'
import { Locale, type Messages } from './locale.ts'
import { acceptedLanguages, match, type Offered, offer } from './negotiate.ts'

// The language that every key is written in first, and that ends every chain.
const sourceTag = 'en'

// Browsers send a few dozen different headers; whoever sends more gets no more remembered.
const mostRemembered = 500

/** The languages on offer. */
export class Locales {
  /** Every language on offer, in the order of their tags. */
  readonly all: readonly Locale[]
  /** What is odd in the site's own files, a line each. */
  readonly notes: readonly string[]
  readonly #known: ReadonlyMap<string, Locale>
  readonly #byTag: ReadonlyMap<string, Locale>
  readonly #offered: readonly Offered[]
  readonly #default: Locale
  readonly #accepted = new Map<string, Locale | null>()

  /** @param known Every language there is; `offered` names those of them that visitors may choose. */
  constructor(
    known: readonly Locale[],
    offered: readonly string[],
    defaultTag: string,
    notes: readonly string[] = [],
  ) {
    this.#known = new Map(known.map((locale) => [locale.tag, locale]))
    this.all = offered.flatMap((tag) => this.#known.get(tag) ?? [])
    this.notes = notes
    this.#byTag = new Map(this.all.map((locale) => [locale.tag, locale]))
    this.#offered = offerAll(this.#byTag.keys())
    const first = this.find(defaultTag)
    if (first === null) {
      throw new ForgotError(
        'ERR_FORGOT_CONFIG',
        `locales.default: there is no language ${defaultTag}`,
      )
    }
    this.#default = first
  }

  /**
   * Reads the languages that come with the module and, key by key over them, the site's own.
   *
   * @throws {ForgotError} `ERR_FORGOT_TEMPLATE` when a file cannot be read, `ERR_FORGOT_CONFIG` when a
   *   language is not there.
   */
  static load(config: Config['locales']): Locales {
    const own = config.dir === null ? [] : readLocaleFiles(config.dir)
    const builtIn = builtInLocaleFiles(packagePath('locales'))
    const files = Map.groupBy([...builtIn, ...own], ({ tag }) => tag)
    const tags = [...files.keys()]
    const offered = config.offer === 'auto' ? tags.toSorted() : config.offer
    const missing = offered.find((tag) => !files.has(tag))
    if (missing !== undefined) {
      throw new ForgotError('ERR_FORGOT_CONFIG', `locales.offer: there is no ${missing}.yaml`)
    }
    const load = (tag: string): Messages =>
      new Map((files.get(tag) ?? []).flatMap(({ messages }) => [...messages]))
    const there = offerAll(tags)
    return new Locales(
      tags.map((tag) => new Locale(tag, standIns(tag, config.default, there), load)),
      offered,
      config.default,
      checkLocaleFiles(own, builtIn),
    )
  }

  /** The language of exactly this tag, on offer or not; `null` when there is none. */
  exact(tag: string): Locale | null {
    return this.#known.get(tag) ?? null
  }

  /** The offered language nearest to a tag, or `null`. */
  find(tag: string): Locale | null {
    return this.#byTag.get(tag) ?? this.#byTag.get(match(tag, this.#offered) ?? '') ?? null
  }

  /**
   * The first wish that is on offer, else what the browser accepts, else the default.
   *
   * @param wishes Tags in order of weight; empty ones are passed over.
   */
  choose(wishes: readonly string[], acceptLanguage: string): Locale {
    return this.#first(wishes) ?? this.#findAccepted(acceptLanguage) ?? this.#default
  }

  #first(wishes: readonly string[]): Locale | null {
    for (const wish of wishes) {
      const locale = wish === '' ? null : this.find(wish)
      if (locale !== null) return locale
    }
    return null
  }

  #findAccepted(header: string): Locale | null {
    if (header === '') return null
    const known = this.#accepted.get(header)
    if (known !== undefined) return known
    const locale = this.#first(acceptedLanguages(header))
    if (this.#accepted.size < mostRemembered) this.#accepted.set(header, locale)
    return locale
  }
}

function offerAll(tags: Iterable<string>): Offered[] {
  return [...tags].flatMap((tag) => offer(tag) ?? [])
}

/** A language, then its general form, then the site's default language, then English. */
function standIns(tag: string, defaultTag: string, there: readonly Offered[]): string[] {
  const { language, script } = new Intl.Locale(tag).maximize()
  const general = match(`${language}-${script}`, there) ?? ''
  const tags = new Set([tag, general, defaultTag, sourceTag])
  return [...tags].filter((each) => there.some((offered) => offered.tag === each))
}
