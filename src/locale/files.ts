import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { ForgotError } from '../errors.ts'
import { faultOf } from '../templates.ts'
import { readText } from '../text.ts'
import { aliasFault } from './aliases.ts'
import type { Message } from './locale.ts'
import { offer } from './negotiate.ts'

/** One `<tag>.yaml`. */
export interface LocaleFile {
  readonly path: string
  /** BCP 47, as the file is named. */
  readonly tag: string
  /** Its texts by their keys, such as `form.title`. */
  readonly messages: ReadonlyMap<string, Message>
  /** Keys whose value is neither a text nor more keys. */
  readonly textless: readonly string[]
}

const pluralCategories = new Set(['zero', 'one', 'two', 'few', 'many', 'other'])

/**
 * The language files of a folder.
 *
 * @throws {ForgotError} `ERR_FORGOT_TEMPLATE` when one cannot be read or is not named after a language.
 */
export function readLocaleFiles(folder: string): LocaleFile[] {
  return localeFileNames(folder).map((file) =>
    readLocaleFile(join(folder, file), file.replace(/\.ya?ml$/, '')),
  )
}

const parsed = new Map<string, { readonly mtimeMs: number; readonly file: LocaleFile }>()

/**
 * The same, of the files that come with the module: each is read when its texts are asked for, since few of the many
 * are, and a start is felt; and once by all that are in this process.
 */
export function builtInLocaleFiles(folder: string): LocaleFile[] {
  return localeFileNames(folder).map((name) => {
    const path = join(folder, name)
    const tag = name.replace(/\.ya?ml$/, '')
    const read = () => {
      const { mtimeMs } = statSync(path)
      const known = parsed.get(path)
      if (known?.mtimeMs === mtimeMs) return known.file
      const file = readLocaleFile(path, tag)
      parsed.set(path, { mtimeMs, file })
      return file
    }
    return {
      path,
      tag,
      get messages() {
        return read().messages
      },
      get textless() {
        return read().textless
      },
    }
  })
}

/** The names of the language files in a folder; what editors and systems put beside them begins with a dot. */
export function localeFileNames(folder: string): string[] {
  const isFolder = (file: string) =>
    statSync(join(folder, file), { throwIfNoEntry: false })?.isDirectory() === true
  return readdirSync(folder).filter((file) => /^[^.].*\.ya?ml$/.test(file) && !isFolder(file))
}

function readLocaleFile(path: string, tag: string): LocaleFile {
  if (offer(tag) === null) {
    const message = `${path}: must be named after its language, such as pt-BR.yaml`
    throw new ForgotError('ERR_FORGOT_TEMPLATE', message)
  }
  const messages = new Map<string, Message>()
  const textless: string[] = []
  try {
    const { _meta, ...texts } = parseTexts(readText(path))
    flatten(texts, '', messages, textless)
  } catch (cause) {
    throw new ForgotError('ERR_FORGOT_TEMPLATE', faultOf(cause, path), { cause })
  }
  return { path, tag, messages, textless }
}

function parseTexts(yaml: string): Readonly<Record<string, unknown>> {
  const lines = new LineCounter()
  const document = parseDocument(yaml, { lineCounter: lines })
  const [fault] = document.errors
  if (fault !== undefined) throw fault
  const alias = aliasFault(document)
  if (alias !== null) {
    const { line, col } = lines.linePos(alias.offset)
    throw new Error(`${alias.text} at line ${line}, column ${col}:`)
  }
  const texts: unknown = document.toJS() ?? {}
  if (typeof texts !== 'object' || texts === null || Array.isArray(texts))
    throw new Error('must be keys and texts')
  return texts as Record<string, unknown>
}

/** `form: { title: … }` as `form.title`; an object of plural categories is one message. */
function flatten(
  value: unknown,
  key: string,
  messages: Map<string, Message>,
  textless: string[],
): void {
  if (typeof value === 'string') messages.set(key, value)
  else if (isPlural(value)) messages.set(key, value)
  else if (typeof value !== 'object' || value === null || Array.isArray(value)) textless.push(key)
  else {
    for (const [name, inner] of Object.entries(value)) {
      flatten(inner, key === '' ? name : `${key}.${name}`, messages, textless)
    }
  }
}

function isPlural(value: unknown): value is Exclude<Message, string> {
  if (typeof value !== 'object' || value === null) return false
  const forms = Object.entries(value)
  return (
    Object.hasOwn(value, 'other') &&
    forms.every(([form, text]) => pluralCategories.has(form) && typeof text === 'string')
  )
}
