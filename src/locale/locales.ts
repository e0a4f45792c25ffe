import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import type { Config } from '../config/config.ts'
import { ForgotError } from '../errors.ts'
import { packageFolder } from '../templates.ts'
import { Locale, type Message, type Messages } from './locale.ts'
import { acceptedLanguages, match, type Offered, offer } from './negotiate.ts'

const pluralCategories = new Set(['zero', 'one', 'two', 'few', 'many', 'other'])
// The language that every key is written in first, and that ends every chain.
const sourceTag = 'en'

// Browsers send a few dozen different headers; whoever sends more gets no more remembered.
const mostRemembered = 500

/** The languages on offer. */
export class Locales {
  /** Every language on offer, in the order of their tags. */
  readonly all: readonly Locale[]
  readonly #byTag: ReadonlyMap<string, Locale>
  readonly #offered: readonly Offered[]
  readonly #default: Locale
  readonly #accepted = new Map<string, Locale | null>()

  constructor(all: readonly Locale[], defaultTag: string) {
    this.all = all
    this.#byTag = new Map(all.map((locale) => [locale.tag, locale]))
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
    const folders = [packageFolder('locales'), ...(config.dir === null ? [] : [config.dir])]
    const messages = new Map<string, Map<string, Message>>()
    for (const folder of folders) readFolder(folder, messages)
    const offered = config.offer === 'auto' ? [...messages.keys()].sort() : config.offer
    const missing = offered.find((tag) => !messages.has(tag))
    if (missing !== undefined) {
      throw new ForgotError('ERR_FORGOT_CONFIG', `locales.offer: there is no ${missing}.yaml`)
    }
    return new Locales(
      offered.map((tag) => new Locale(tag, chain(tag, config.default, messages))),
      config.default,
    )
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

/** A language's texts, then its general form's, then the site's default language's, then English. */
function chain(
  tag: string,
  defaultTag: string,
  messages: ReadonlyMap<string, Messages>,
): Map<string, Messages> {
  const { language, script } = new Intl.Locale(tag).maximize()
  const general = match(`${language}-${script}`, offerAll(messages.keys())) ?? ''
  const tags = [tag, general, defaultTag, sourceTag]
  return new Map(
    tags.flatMap((each) => (messages.has(each) ? [[each, messages.get(each) ?? new Map()]] : [])),
  )
}

function readFolder(folder: string, into: Map<string, Map<string, Message>>): void {
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.yaml') && !file.endsWith('.yml')) continue
    const tag = basename(file).replace(/\.ya?ml$/, '')
    if (offer(tag) === null) {
      const message = `${join(folder, file)}: must be named after its language, such as pt-BR.yaml`
      throw new ForgotError('ERR_FORGOT_TEMPLATE', message)
    }
    const messages = into.get(tag) ?? new Map<string, Message>()
    into.set(tag, messages)
    try {
      flatten(parse(readFileSync(join(folder, file), 'utf8')), '', messages)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new ForgotError('ERR_FORGOT_TEMPLATE', `${join(folder, file)}: ${why}`, { cause })
    }
  }
}

/** `form: { title: … }` as `form.title`; an object of plural categories is one message. */
export function flatten(value: unknown, prefix: string, into: Map<string, Message>): void {
  if (typeof value === 'string') into.set(prefix, value)
  if (typeof value !== 'object' || value === null) return
  const keys = Object.keys(value)
  if (keys.includes('other') && keys.every((key) => pluralCategories.has(key))) {
    into.set(prefix, value as Message)
    return
  }
  for (const [key, inner] of Object.entries(value)) {
    if (prefix === '' && key === '_meta') continue
    flatten(inner, prefix === '' ? key : `${prefix}.${key}`, into)
  }
}
