import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml'
import { readText, TextError } from '../text.ts'
import { aliasFault } from './aliases.ts'
import type { LocaleFile } from './files.ts'
import { type Place, type Rule, start } from './finding.ts'
import type { Message } from './locale.ts'

/** A language file with the place of each key. */
export interface PlacedFile extends LocaleFile {
  /** What stands under `_meta`. */
  readonly meta: Readonly<Record<string, unknown>>
  /** Why the file, or a part of it, cannot be used. */
  readonly broken: readonly Broken[]
  /** Where a key stands, or else the nearest one above it. */
  place(key: string): Place
}

export interface Broken {
  readonly key: string
  readonly place: Place
  readonly rule: Extract<Rule, 'syntax' | 'duplicate'>
  readonly text: string
}

const pluralForms = new Set(['zero', 'one', 'two', 'few', 'many', 'other'])

/** Reads a language file as far as it can be read: what is broken is told and not thrown. */
export function readPlacedFile(path: string, tag: string): PlacedFile {
  const reader = read(path)
  const { messages, textless, broken, meta } = reader
  return { path, tag, messages, textless, broken, meta, place: (key) => reader.place(key) }
}

function read(path: string): Reader {
  try {
    return new Reader(readText(path))
  } catch (error) {
    if (!(error instanceof TextError)) throw error
    const { message: text, place } = error
    return new Reader('', { key: '', place: place ?? start, rule: 'syntax', text })
  }
}

interface Pairs {
  readonly items: readonly { readonly key: Node; readonly value: Node | null }[]
}

class Reader {
  readonly messages = new Map<string, Message>()
  readonly textless: string[] = []
  readonly broken: Broken[] = []
  readonly meta: Readonly<Record<string, unknown>> = {}
  readonly #lines = new LineCounter()
  readonly #document: ReturnType<typeof parseDocument>
  readonly #places = new Map<string, Place>()

  /** @param unread Why there is no text. */
  constructor(text: string, unread: Broken | null = null) {
    if (unread !== null) this.broken.push(unread)
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false })
    const { contents } = this.#document
    const fault = this.#fault()
    if (fault !== null) {
      const { text, offset } = fault
      this.broken.push({ key: '', place: this.#at(offset), rule: 'syntax', text })
    } else if (isMap<Node, Node | null>(contents)) {
      this.#walk(contents, '')
      const meta: unknown = contents.get('_meta', true)
      if (isMap(meta)) this.meta = meta.toJS(this.#document)
    } else if (contents !== null) {
      const text = 'must be keys and texts'
      this.broken.push({ key: '', place: start, rule: 'syntax', text })
    }
  }

  /** What follows the first fault is mostly its consequence. */
  #fault(): { readonly text: string; readonly offset: number } | null {
    const fault = this.#document.errors.find(({ code }) => code !== 'DUPLICATE_KEY')
    return fault === undefined
      ? aliasFault(this.#document)
      : { text: fault.message, offset: fault.pos[0] }
  }

  place(key: string): Place {
    const above = key.slice(0, Math.max(0, key.lastIndexOf('.')))
    return this.#places.get(key) ?? (key === '' ? start : this.place(above))
  }

  #walk({ items }: Pairs, prefix: string): void {
    for (const { key, value } of items) {
      const name = `${prefix}${isScalar(key) ? String(key.value) : ''}`
      this.#mark(name, key)
      this.#read(name, value)
    }
  }

  #read(name: string, value: Node | null): void {
    const isMeta = name === '_meta' || name.startsWith('_meta.')
    const message = isMeta ? null : this.#message(value)
    if (message !== null) this.messages.set(name, message)
    else if (!isMeta && !isMap(value)) this.textless.push(name)
    if (!isMap<Node, Node | null>(value)) return
    if (message === null) this.#walk(value, `${name}.`)
    // The forms of a plural have places of their own, and are no keys.
    else for (const { key } of value.items) this.#mark(`${name}.${String(key)}`, key)
  }

  #mark(name: string, key: Node): void {
    const place = this.#at(key.range?.[0] ?? 0)
    if (this.#places.has(name)) {
      const text = 'this key stands here for the second time'
      this.broken.push({ key: name, place, rule: 'duplicate', text })
    } else this.#places.set(name, place)
  }

  #message(value: Node | null): Message | null {
    if (isScalar(value)) return typeof value.value === 'string' ? value.value : null
    if (!isMap<Node, Node | null>(value) || !value.has('other')) return null
    const forms = value.items.map(({ key, value: text }) => [String(key), text] as const)
    const isPlural = forms.every(
      ([form, text]) => pluralForms.has(form) && isScalar(text) && typeof text.value === 'string',
    )
    return isPlural ? (value.toJS(this.#document) as Message) : null
  }

  #at(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { line, column: col }
  }
}
