import { randomBytes } from 'node:crypto'
import { constants, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { documentConfig } from '../config/document.ts'
import { isSecretKey, withoutPasswords } from '../config/secrets.ts'
import { ForgotError } from '../errors.ts'
import { isLoopback } from '../network.ts'
import { packagePath } from '../templates.ts'
import { type Answers, nested, questions, readAnswer } from './questions.ts'

const names = {
  config: 'config.yaml',
  schema: 'config.schema.json',
  env: '.env',
  example: '.env.example',
  ignore: '.gitignore',
}

/** @throws {ForgotError} `ERR_FORGOT_CONFIG` when there is a configuration in this folder already. */
export function refuseToOverwrite(): void {
  const there = [names.config, names.env].find((file) => existsSync(file))
  if (there === undefined) return
  const message = `${there} is there already: remove it, or go to an empty folder`
  throw new ForgotError('ERR_FORGOT_CONFIG', message)
}

/**
 * Writes what was answered, and nothing over what is there.
 *
 * @returns What was done, a line each.
 * @throws {ForgotError} `ERR_FORGOT_CONFIG` when it cannot be written.
 */
export function writeFiles(answers: Answers): string[] {
  const answered = [...answers].filter(([, value]) => value !== '')
  const set = [
    ...answered.filter((answer) => !isSecret(answer) && !isDefault(answer)),
    ...derived(answers),
  ]
  const secrets = [...madeSecret(answers), ...answered.filter(isSecret)]
  // All of it is made before the first of it is written.
  const texts = [
    [
      names.config,
      documentConfig(schemaPath(), nested(set.map(([key, text]) => [key, readAnswer(key, text)]))),
      0o644,
    ],
    [names.env, envLines(secrets), 0o600],
    [names.example, envLines(secrets.map(([key]) => [key, ''])), 0o644],
    [names.ignore, `${names.env}\ndata/\n`, 0o644],
  ] as const
  const absent = texts.filter(([name]) => !existsSync(name))
  const isCopy = isSchemaCopied() && !existsSync(names.schema)
  try {
    for (const [name, text, mode] of absent) writeFileSync(name, text, { flag: 'wx', mode })
    if (isCopy) copyFileSync(schema(), names.schema, constants.COPYFILE_EXCL)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ForgotError('ERR_FORGOT_CONFIG', `This folder cannot be written (${code})`, {
      cause: error,
    })
  }
  const isIgnored = absent.some(([name]) => name === names.ignore) || ignores(names.env)
  const written = [...absent.map(([name]) => name), ...(isCopy ? [names.schema] : [])]
  return [
    `${written.join(', ')} written.`,
    ...(isIgnored ? [] : [`Add ${names.env} and data/ to ${names.ignore}: they hold secrets.`]),
  ]
}

type Answer = readonly [key: string, text: string]

function isSecret([key, text]: Answer): boolean {
  return isSecretKey(key.split('.')) || withoutPasswords(text) !== text
}

/** What stands in the file in any case, since nobody's site is called like the sample. */
const always = new Set(['site.name', 'site.url'])

function isDefault([key, text]: Answer): boolean {
  return !always.has(key) && questions.some((each) => each.key === key && each.fallback === text)
}

function madeSecret(answers: Answers): Answer[] {
  return answers.has('secret') ? [] : [['secret', randomBytes(32).toString('hex')]]
}

/** What follows from answers: the port of an address on this machine, and TLS from the start at port 465. */
function derived(answers: Answers): Answer[] {
  const url = new URL(answers.get('site.url') ?? '')
  const isOwnPort = isLoopback(url.hostname) && url.port !== '' && url.port !== '3000'
  return [
    ...(isOwnPort && !answers.has('server.port') ? [['server.port', url.port] as const] : []),
    ...(answers.get('smtp.port') === '465' ? [['smtp.secure', 'true'] as const] : []),
  ]
}

function envLines(values: readonly Answer[]): string {
  const head = `# Read beside ${names.config}; variables that are set already count before these.
# FORGOT_SECRET: 32 random bytes (openssl rand -hex 32). Who has it can make links; without it, old ones are void.
`
  return head + values.map(([key, value]) => `${variableOf(key)}=${quoted(value)}\n`).join('')
}

/** `smtp.pass` as `FORGOT_SMTP__PASS`, `site.loginUrl` as `FORGOT_SITE__LOGIN_URL`. */
function variableOf(key: string): string {
  const parts = key.split('.').map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter}`))
  return `FORGOT_${parts.join('__').toUpperCase()}`
}

function quoted(value: string): string {
  if (/^[\w.:/@%+-]*$/.test(value)) return value
  const mark = ["'", '"', '`'].find((each) => !value.includes(each))
  if (mark !== undefined) return `${mark}${value}${mark}`
  throw new ForgotError(
    'ERR_FORGOT_CONFIG',
    `A password with all of ' " \` cannot stand in ${names.env}`,
  )
}

function ignores(name: string): boolean {
  return readFileSync(names.ignore, 'utf8')
    .split(/\r?\n/)
    .some((line) => line.trim().replace(/^\//, '') === name)
}

/** The schema of the package beside this folder; where the package is elsewhere, a copy of it. */
function schemaPath(): string {
  return isSchemaCopied() ? `./${names.schema}` : `./${relative(process.cwd(), schema())}`
}

function isSchemaCopied(): boolean {
  return existsSync(schema()) && relative(process.cwd(), schema()).startsWith('..')
}

function schema(): string {
  return packagePath(names.schema)
}
