import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { ForgotError } from '../errors.ts'
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
  return readdirSync(folder)
    .filter((file) => /\.ya?ml$/.test(file))
    .map((file) => readLocaleFile(join(folder, file), file.replace(/\.ya?ml$/, '')))
}

function readLocaleFile(path: string, tag: string): LocaleFile {
  if (offer(tag) === null) {
    const message = `${path}: must be named after its language, such as pt-BR.yaml`
    throw new ForgotError('ERR_FORGOT_TEMPLATE', message)
  }
  const messages = new Map<string, Message>()
  const textless: string[] = []
  try {
    const { _meta, ...texts } = (parse(readFileSync(path, 'utf8')) ?? {}) as Record<string, unknown>
    flatten(texts, '', messages, textless)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ForgotError('ERR_FORGOT_TEMPLATE', `${path}: ${why}`, { cause })
  }
  return { path, tag, messages, textless }
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
