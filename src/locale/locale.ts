import { escapeHtml } from '../html.ts'

export type Values = Readonly<Record<string, string | number>>
/** A text; or several by plural category, where a number decides. */
export type Message = string | Readonly<Partial<Record<Intl.LDMLPluralRule, string>>>
/** The messages of one language file by their keys, such as `form.title`. */
export type Messages = ReadonlyMap<string, Message>

// A reference or a number: what is longer, such as an address, must be allowed to break on a narrow screen.
const longestWhole = 12

/** One language's own texts, and how it counts. */
interface Source {
  readonly messages: Messages
  readonly plurals: Intl.PluralRules
}

/** One language: its texts, its direction, and how it writes numbers and times. What is not asked for is not made. */
export class Locale {
  /** BCP 47. */
  readonly tag: string
  readonly direction: 'ltr' | 'rtl'
  /** What stands between two sentences. */
  readonly space: string
  /** Its own tag first, then those of the languages that stand in for it. */
  readonly tags: readonly string[]
  readonly #load: (tag: string) => Messages
  #name: string | null = null
  #chain: ReadonlyMap<string, Messages> | null = null
  #sources: readonly Source[] | null = null
  #relative: Intl.RelativeTimeFormat | null = null
  #instant: Intl.DateTimeFormat | null = null
  #numbers: Intl.NumberFormat | null = null
  readonly #durations = new Map<Unit, Intl.NumberFormat>()

  /**
   * @param tags Its own tag first, then those of the languages that stand in for a missing text.
   * @param load The texts of each of these, asked for once the first text is.
   */
  constructor(tag: string, tags: readonly string[], load: (tag: string) => Messages) {
    this.tag = tag
    this.tags = tags
    this.#load = load
    this.direction = directionOf(tag)
    this.space = /^(?:ja|zh)\b/.test(tag) ? '' : ' '
  }

  /** What its speakers call it. */
  get name(): string {
    this.#name ??= autonym(this.tag)
    return this.#name
  }

  /** Its own tag and texts first, then those that stand in for a missing one. */
  get chain(): ReadonlyMap<string, Messages> {
    this.#chain ??= new Map(this.tags.map((tag) => [tag, this.#load(tag)]))
    return this.#chain
  }

  /** The text of a key, its `{placeholders}` filled in; the key itself when no language has it. */
  text(key: string, values: Values = {}): string {
    return this.#fill(key, values, (value) => value)
  }

  /**
   * The same as HTML: the text escaped, and each value set apart, so that an address keeps its direction
   * within a right-to-left sentence and is left alone by a browser's translator.
   */
  html(key: string, values: Values = {}): string {
    const value = (text: string) =>
      `<bdi${text.length > longestWhole ? '' : ' class="whole"'} translate="no">${escapeHtml(text)}</bdi>`
    return this.#fill(key, values, value, escapeHtml)
  }

  /** The tag of the language whose text is shown under a key; `null` when no language has it. */
  tagOf(key: string): string | null {
    return this.tags.find((tag) => this.chain.get(tag)?.has(key)) ?? null
  }

  /** `in 60 minutes`; below two hours in minutes, since "in 1 hour" is wrong after 50 minutes. */
  fromNow(ms: number): string {
    this.#relative ??= new Intl.RelativeTimeFormat(this.tag, { numeric: 'always' })
    return this.#relative.format(...amountOf(ms))
  }

  /** `60 minutes`. */
  duration(ms: number): string {
    const [amount, unit] = amountOf(ms)
    let format = this.#durations.get(unit)
    if (format === undefined) {
      format = new Intl.NumberFormat(this.tag, { style: 'unit', unit, unitDisplay: 'long' })
      this.#durations.set(unit, format)
    }
    return format.format(amount)
  }

  /** `November 20, 2026 at 6:24 PM UTC`: the mail's reader may be in any time zone. */
  instant(ms: number): string {
    this.#instant ??= new Intl.DateTimeFormat(this.tag, instantFormat)
    return this.#instant.format(ms)
  }

  #fill(
    key: string,
    values: Values,
    mapValue: (value: string) => string,
    mapText: (text: string) => string = (text) => text,
  ): string {
    return this.#message(key, values)
      .split(/(\{\w+\})/)
      .map((part) => {
        const name = /^\{\w+\}$/.test(part) ? part.slice(1, -1) : ''
        // What every object has, such as toString, is no value of anybody's.
        const value = Object.hasOwn(values, name) ? values[name] : undefined
        return value === undefined ? mapText(part) : mapValue(this.#show(value))
      })
      .join('')
  }

  /** Numbers as the language writes those of its times. */
  #show(value: string | number): string {
    if (typeof value === 'string') return value
    this.#numbers ??= new Intl.NumberFormat(this.tag, { useGrouping: false })
    return this.#numbers.format(value)
  }

  #message(key: string, values: Values): string {
    this.#sources ??= [...this.chain].map(([tag, messages]) => ({
      messages,
      plurals: new Intl.PluralRules(tag),
    }))
    for (const { messages, plurals } of this.#sources) {
      const message = messages.get(key)
      if (typeof message === 'string') return message
      if (message) return message[plurals.select(Number(values['count']))] ?? message.other ?? key
    }
    return key
  }
}

type Unit = 'second' | 'minute' | 'hour' | 'day'

const instantFormat: Intl.DateTimeFormatOptions = {
  year: 'numeric',
  month: 'long',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
  timeZone: 'UTC',
  timeZoneName: 'short',
}

function amountOf(ms: number): [number, Unit] {
  const seconds = Math.ceil(ms / 1000)
  if (seconds < 60) return [Math.max(1, seconds), 'second']
  const minutes = Math.ceil(seconds / 60)
  if (minutes < 120) return [minutes, 'minute']
  const hours = Math.ceil(minutes / 60)
  return hours < 48 ? [hours, 'hour'] : [Math.ceil(hours / 24), 'day']
}

function autonym(tag: string): string {
  const name = new Intl.DisplayNames(tag, { type: 'language', languageDisplay: 'standard' }).of(tag)
  const text = name ?? tag
  return text.charAt(0).toLocaleUpperCase(tag) + text.slice(1)
}

/** Which way a language is written. */
export function directionOf(tag: string): 'ltr' | 'rtl' {
  return new Intl.Locale(tag).getTextInfo().direction === 'rtl' ? 'rtl' : 'ltr'
}
