import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { check } from './check.ts'
import type { Config, ConfigInput } from './config.ts'
import { readEnvironment } from './environment.ts'
import { finish } from './finish.ts'
import { type Path, shownFile } from './problems.ts'
import type { Environment, Given } from './source.ts'
import { TracedSource } from './trace.ts'
import { readYaml } from './yaml.ts'

export interface LoadOptions {
  /** Where variables are taken from; default: the process's own environment, over a `.env` beside the file. */
  readonly env?: Environment
  /** Whether the accounts are given in code, so that `users` may be left out; default: they are not. */
  readonly hasUsers?: boolean
  /**
   * Whether pages and mails are looked at and nothing more: then production demands nothing, and faults in what they
   * do without are passed over; default: no.
   */
  readonly isPreview?: boolean
  /** Told the files that a configuration is read from and names, usable or not; default: nobody is. */
  readonly onFiles?: (files: readonly string[]) => void
}

/**
 * A complete, checked and frozen configuration.
 *
 * @param from A YAML file; or the values themselves; or nothing, for `./config.yaml` where there is
 *   one and else the built-in demo. Relative paths are relative to the file, else to the working folder.
 * @throws {ForgotError} `ERR_FORGOT_CONFIG` with every problem at once, each `file:line:column key: rule`.
 *
 * ```ts
 * import { loadConfig } from 'fastify-forgot-password'
 *
 * const { route, site } = loadConfig('./config.yaml')
 * console.log(`${site.url}${route}`)
 * ```
 */
export function loadConfig(
  from: string | ConfigInput | undefined,
  options: LoadOptions = {},
): Config {
  return traceConfig(from, options).config
}

/** A configuration, and what it was made from. */
export interface TracedConfig {
  readonly config: Config
  /** The configuration's file; `null` where there is none. */
  readonly file: string | null
  /** Every file that was read: its own, those it imports, and the `.env` beside it, there or not. */
  readonly files: readonly string[]
  /** What was set at a path, as it was written, and where; `null` when nobody has set it. */
  given(path: Path): Given | null
}

/**
 * The same, with the place of each value.
 *
 * @throws {ForgotError} like {@link loadConfig}.
 */
export function traceConfig(
  from: string | ConfigInput | undefined,
  options: LoadOptions = {},
): TracedConfig {
  const file = typeof from === 'string' ? from : from === undefined ? defaultFile() : null
  const values = typeof from === 'object' ? structuredClone(from) : {}
  const { hasUsers = false, isPreview = false, onFiles } = options
  const source = new TracedSource({ ...values }, { isFile: file !== null, isPreview })
  const env = environmentOf(file, source, options)
  if (file !== null) readYaml(source, resolve(file), env, shownFile(file))
  readEnvironment(source, env)
  const folder = file === null ? process.cwd() : dirname(resolve(file))
  // What is wrong is left out as it is checked, and yet a file may come to be there.
  onFiles?.([...source.files, ...source.named(folder)])
  const parsed = source.isReadable ? check(source) : null
  const finished = parsed && finish(parsed, source, { folder, env, hasUsers })
  if (finished === null || !source.problems.isEmpty) throw source.problems.toError()
  const config = freeze(source.canSend ? finished : { ...finished, hasMailbox: true })
  return { config, file, files: source.files, given: (path) => source.given(path) }
}

function environmentOf(
  file: string | null,
  source: TracedSource,
  { env: given, isPreview = false }: LoadOptions,
): Environment {
  const env =
    given ?? (file === null ? process.env : { ...readEnvFile(file, source), ...process.env })
  return isPreview ? { ...env, NODE_ENV: undefined } : env
}

/** The variables of a file `.env` beside a configuration. */
function readEnvFile(file: string, source: TracedSource): Environment {
  const path = join(dirname(resolve(file)), '.env')
  source.addFile(path)
  try {
    return existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {}
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    source.problems.add(shownFile(path), null, `cannot be read (${code})`)
    return {}
  }
}

function defaultFile(): string | null {
  return existsSync('config.yaml') ? 'config.yaml' : null
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freeze(inner)
    Object.freeze(value)
  }
  return value
}
