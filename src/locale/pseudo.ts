import { parse } from 'yaml'
import type { Message, Messages } from './locale.ts'

/** Languages that nobody speaks: accented and longer, and right to left. */
export const pseudoTags = ['en-XA', 'ar-XB'] as const
export type PseudoTag = (typeof pseudoTags)[number]

// U+202E overrides the direction of what follows, until U+202C (UAX #9 §2.2).
const [override, end] = ['\u202e', '\u202c']

const plain = 'AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXxYyZz'
const accented = [...'ÅåƁƀÇçÐðÉéƑƒĜĝĤĥÎîĴĵĶķĻļḾɱÑñÖöÞþǪǫŔŕŠšŢţÛûṼṽŴŵẊẋÝýŽž']
const accents = new Map([...plain].map((letter, index) => [letter, accented[index] ?? letter]))

const fillers = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']
const growth = 0.4
const bracketCount = 2

/**
 * Texts as an invented language has them: `en-XA` in accented letters, about 40 % longer and in brackets, so
 * that what is cut off, put together or not translated at all is seen; `ar-XB` with each word laid out from
 * right to left. `{placeholders}` stay, and a text with plural forms has all that the language counts by.
 *
 * @param messages The texts of the source language.
 */
export function pseudoMessages(messages: Messages, tag: PseudoTag): Messages {
  const { pluralCategories } = new Intl.PluralRules(tag).resolvedOptions()
  return new Map(
    [...messages].map(([key, message]) => [key, pseudoMessage(message, tag, pluralCategories)]),
  )
}

function pseudoMessage(
  message: Message,
  tag: PseudoTag,
  categories: readonly Intl.LDMLPluralRule[],
): Message {
  if (typeof message === 'string') return pseudoText(message, tag, /\{\w+\}/)
  return Object.fromEntries(
    categories.map((category) => {
      const form = message[category] ?? message.other ?? ''
      return [category, pseudoText(form, tag, /\{\w+\}/)]
    }),
  )
}

/**
 * The source of a mail's template in an invented language: its subject, its preheader, what stands between
 * its elements and the labels of its buttons. Elements and every other Eta tag stay as they are.
 */
export function pseudoMail(source: string, tag: PseudoTag): string {
  const [head = ''] = /^---\r?\n.*?\r?\n---\r?\n/s.exec(source) ?? []
  return `${pseudoHead(head, tag)}${pseudoBody(source.slice(head.length), tag)}`
}

const etaTag = /<%[\s\S]*?%>/

function pseudoHead(head: string, tag: PseudoTag): string {
  const lines = readHead(head)
  if (lines === null) return head
  const texts = Object.entries(lines).map(
    // JSON is YAML too, and needs no thought about quotes.
    ([name, line]) => `${name}: ${JSON.stringify(pseudoText(String(line), tag, etaTag))}\n`,
  )
  return `---\n${texts.join('')}---\n`
}

/** `null` for what is not there or cannot be read: whoever renders it tells why. */
function readHead(head: string): Record<string, unknown> | null {
  try {
    return parse(head.replace(/^---\r?\n|---\r?\n$/g, '')) as Record<string, unknown> | null
  } catch {
    return null
  }
}

// An Eta tag may stand within an element's attribute.
const markup =
  /(<style\b[\s\S]*?<\/style>|<%[\s\S]*?%>|<!--[\s\S]*?-->|<\/?[a-z](?:<%[\s\S]*?%>|[^<>])*>)/i
const label = /(\bbutton\(\s*)(['"])((?:\\.|(?!\2).)*)\2/g

function pseudoBody(body: string, tag: PseudoTag): string {
  return body
    .split(markup)
    .map((part, index) => {
      if (index % 2 === 0) return pseudoText(part, tag, /&#?\w+;/)
      return part.startsWith('<%')
        ? part.replace(label, (_, call: string, quote: string, text: string) => {
            return `${call}${quote}${pseudoText(text, tag, /\\./)}${quote}`
          })
        : part
    })
    .join('')
}

/** A text, but for what `kept` matches; without a letter of its own it stays as it is. */
function pseudoText(text: string, tag: PseudoTag, kept: RegExp): string {
  const [, before = '', inner = '', after = ''] = /^(\s*)([\s\S]*?)(\s*)$/.exec(text) ?? []
  const parts = inner.split(new RegExp(`(${kept.source})`))
  const own = parts.filter((_, index) => index % 2 === 0).join('')
  if (!/\p{L}/u.test(own)) return text
  const map = tag === 'en-XA' ? accent : turn
  const mapped = parts.map((part, index) => (index % 2 === 0 ? map(part) : part)).join('')
  return `${before}${tag === 'en-XA' ? `[${mapped}${filler(own.length)}]` : mapped}${after}`
}

function accent(text: string): string {
  return text.replace(/[A-Za-z]/g, (letter) => accents.get(letter) ?? letter)
}

function turn(text: string): string {
  return text.replace(/\S*\p{L}\S*/gu, (word) => `${override}${word}${end}`)
}

/** Words that make a text of this length longer by {@link growth}, the brackets counted. */
function filler(length: number): string {
  let words = ''
  for (let index = 0; words.length + bracketCount < length * growth; index += 1) {
    words += ` ${fillers[index % fillers.length]}`
  }
  return words
}
