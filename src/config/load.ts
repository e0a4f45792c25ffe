import { existsSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import { check } from './check.ts'
import type { Config, ConfigInput } from './config.ts'
import { readEnvironment } from './environment.ts'
import { finish } from './finish.ts'
import { type Environment, Source } from './source.ts'
import { readYaml } from './yaml.ts'

export interface LoadOptions {
  /** Where variables are taken from; default: the process's own environment. */
  readonly env?: Environment
  /** Whether the accounts are given in code, so that `users` may be left out; default: they are not. */
  readonly hasUsers?: boolean
}

/**
 * A complete, checked and frozen configuration.
 *
 * @param from A YAML file; or the values themselves; or nothing, for `./config.yaml` where there is
 *   one and else the built-in demo. Relative paths are relative to the file, else to the working folder.
 * @throws {ForgotError} `ERR_FORGOT_CONFIG` with every problem at once, each `file:line:column key: rule`.
 */
export function loadConfig(
  from: string | ConfigInput | undefined,
  { env = process.env, hasUsers = false }: LoadOptions = {},
): Config {
  const file = typeof from === 'string' ? from : from === undefined ? defaultFile() : null
  const values = typeof from === 'object' ? structuredClone(from) : {}
  const source = new Source({ ...values }, { isFile: file !== null })
  if (file !== null) readYaml(source, resolve(file), env, shownFile(file))
  readEnvironment(source, env)
  const parsed = source.isReadable ? check(source) : null
  const folder = file === null ? process.cwd() : dirname(resolve(file))
  const config = parsed && finish(parsed, source, { folder, env, hasUsers })
  if (config === null || !source.problems.isEmpty) throw source.problems.toError()
  return freeze(config)
}

function defaultFile(): string | null {
  return existsSync('config.yaml') ? 'config.yaml' : null
}

/** A file's name as its owner knows it. */
function shownFile(file: string): string {
  const short = relative(process.cwd(), resolve(file))
  return short.startsWith('..') ? file : short || basename(file)
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freeze(inner)
    Object.freeze(value)
  }
  return value
}
