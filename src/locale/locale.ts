import { escapeHtml } from '../html.ts'

export type Values = Readonly<Record<string, string | number>>
/** A text; or several by plural category, where a number decides. */
export type Message = string | Readonly<Partial<Record<Intl.LDMLPluralRule, string>>>
/** The messages of one language file by their keys, such as `form.title`. */
export type Messages = ReadonlyMap<string, Message>

/** One language's own texts, and how it counts. */
interface Source {
  readonly messages: Messages
  readonly plurals: Intl.PluralRules
}

/** One language: its texts, its direction, and how it writes numbers and times. */
export class Locale {
  /** BCP 47. */
  readonly tag: string
  /** What its speakers call it. */
  readonly name: string
  readonly direction: 'ltr' | 'rtl'
  /** Its own tag first, then those of the languages that stand in for it. */
  readonly tags: readonly string[]
  readonly #sources: readonly Source[]
  readonly #relative: Intl.RelativeTimeFormat
  readonly #instant: Intl.DateTimeFormat
  readonly #durations = new Map<Unit, Intl.NumberFormat>()

  /** @param chain Its own tag and texts first, then those that stand in for a missing one. */
  constructor(tag: string, chain: ReadonlyMap<string, Messages>) {
    this.tag = tag
    this.name = autonym(tag)
    this.direction = directionOf(tag)
    this.tags = [...chain.keys()]
    this.#sources = [...chain].map(([each, messages]) => ({
      messages,
      plurals: new Intl.PluralRules(each),
    }))
    this.#relative = new Intl.RelativeTimeFormat(tag, { numeric: 'always' })
    this.#instant = new Intl.DateTimeFormat(tag, instantFormat)
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
    const value = (text: string) => `<bdi translate="no">${escapeHtml(text)}</bdi>`
    return this.#fill(key, values, value, escapeHtml)
  }

  /** `in 60 minutes`; below two hours in minutes, since "in 1 hour" is wrong after 50 minutes. */
  fromNow(ms: number): string {
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
        const value = /^\{\w+\}$/.test(part) ? values[part.slice(1, -1)] : undefined
        return value === undefined ? mapText(part) : mapValue(String(value))
      })
      .join('')
  }

  #message(key: string, values: Values): string {
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
