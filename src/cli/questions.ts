import { parse } from 'yaml'
import { loadConfig } from '../config/load.ts'
import { ForgotError } from '../errors.ts'

/** A key that an owner is asked for. */
export interface Question {
  /** As in the configuration, with dots. */
  readonly key: string
  readonly text: string
  /** What counts when nothing is answered. */
  readonly fallback: string
  /** Whether it is asked at all, after what was answered so far; default: it is. */
  readonly isAsked?: (answers: Answers) => boolean
  /** Whether the answer belongs among the secrets of the environment. */
  readonly isSecret?: boolean
}

/** Answers by their keys. */
export type Answers = ReadonlyMap<string, string>

const has = (key: string) => (answers: Answers) => (answers.get(key) ?? '') !== ''
const isTable = (answers: Answers) =>
  /^(?:sqlite|postgres|mysql|mariadb)/.test(answers.get('users.url') ?? '')

/** What cannot be guessed about a site: everything else has a default that is right for most. */
export const questions: readonly Question[] = [
  { key: 'site.name', text: 'Name of the site', fallback: 'Riverside' },
  {
    key: 'site.url',
    text: 'Its address, as visitors type it (https://…); only this machine for a start',
    fallback: 'http://localhost:3000',
  },
  { key: 'site.loginUrl', text: 'The path or address of its login page', fallback: '/user/login' },
  {
    key: 'users.url',
    text: 'The database of its accounts (sqlite:<file>, postgres://…, mysql://…); empty: sample accounts',
    fallback: '',
  },
  { key: 'users.table', text: 'The table of accounts', fallback: 'users', isAsked: isTable },
  { key: 'users.id', text: 'Its column with the identifier', fallback: 'id', isAsked: isTable },
  { key: 'users.email', text: 'Its column with the address', fallback: 'email', isAsked: isTable },
  {
    key: 'users.password',
    text: 'Its column with the password hash',
    fallback: 'password',
    isAsked: isTable,
  },
  {
    key: 'smtp.host',
    text: 'Your mail server; empty: mails are kept in a built-in mailbox',
    fallback: '',
  },
  { key: 'smtp.port', text: 'Its port (587, or 465)', fallback: '587', isAsked: has('smtp.host') },
  { key: 'smtp.user', text: 'Its user; empty: none', fallback: '', isAsked: has('smtp.host') },
  {
    key: 'smtp.pass',
    text: 'Its password (goes into .env)',
    fallback: '',
    isAsked: has('smtp.user'),
    isSecret: true,
  },
  {
    key: 'smtp.from.email',
    text: 'The address that mails come from',
    fallback: '',
    isAsked: has('smtp.host'),
  },
  { key: 'locales.default', text: 'The language when nothing tells which one', fallback: 'en' },
]

/** Why an answer cannot be taken; `null` when it can. */
export function faultOf(key: string, value: unknown): string | null {
  try {
    loadConfig(nested([[key, value]]), { env: {}, hasUsers: true })
    return null
  } catch (error) {
    if (!(error instanceof ForgotError)) throw error
    // What else is missing is asked for in its turn.
    const own = error.problems.find((problem) => problem.startsWith(`configuration ${key}: must`))
    return own?.replace(`configuration ${key}: `, '') ?? null
  }
}

/** What an answer stands for: the text itself, else the number, the list or the `true` that YAML reads in it. */
export function readAnswer(key: string, text: string): unknown {
  if (faultOf(key, text) === null) return text
  try {
    return parse(text)
  } catch {
    return text
  }
}

/** `smtp.port` and its like as `{ smtp: { port: … } }`. */
export function nested(values: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const all: Record<string, unknown> = {}
  for (const [key, value] of values) {
    const names = key.split('.')
    let target = all
    for (const name of names.slice(0, -1)) {
      const inner = (target[name] ?? {}) as Record<string, unknown>
      target[name] = inner
      target = inner
    }
    target[names.at(-1) ?? ''] = value
  }
  return all
}
