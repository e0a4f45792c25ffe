import { existsSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import type { z } from 'zod'
import { ForgotError } from '../errors.ts'
import type { Config, ConfigInput, Parsed } from './config.ts'
import { keysAt, readEnvironment } from './environment.ts'
import { finish } from './finish.ts'
import { schema } from './schema.ts'
import { type Environment, isObject, name, type Path, Source } from './source.ts'
import { readYaml } from './yaml.ts'

/**
 * A complete, checked and frozen configuration.
 *
 * @param from A YAML file; or the values themselves; or nothing, for `./config.yaml` where there is
 *   one and else the built-in demo. Relative paths are relative to the file, else to the working folder.
 * @throws {ForgotError} `ERR_FORGOT_CONFIG` with every problem at once, each `file:line:column key: rule`.
 */
export function loadConfig(
  from: string | ConfigInput | undefined,
  env: Environment = process.env,
): Config {
  const source = new Source()
  const file = typeof from === 'string' ? from : from === undefined ? defaultFile() : null
  source.isFile = file !== null
  if (file !== null) readYaml(source, resolve(file), env, shown(file))
  else if (from !== undefined) source.value = structuredClone(from) as Record<string, unknown>
  readEnvironment(source, env)
  const folder = file === null ? process.cwd() : dirname(resolve(file))
  const parsed = source.isReadable ? check(source) : null
  const config = parsed && finish(parsed, source, folder, env)
  if (config === null || source.problems.length > 0) throw refusal(source.problems)
  return freeze(config)
}

function defaultFile(): string | null {
  return existsSync('config.yaml') ? 'config.yaml' : null
}

// Each round takes away what is wrong, and in the next the objects that lack a required key for it.
const mostRounds = 5

/**
 * The values as the schema reads them. What is wrong is reported and left out, so that the checks that
 * look at several keys can report what else is.
 */
function check(source: Source): Parsed | null {
  let result = schema.safeParse(source.value)
  if (!result.success && retype(source, result.error.issues)) {
    result = schema.safeParse(source.value)
  }
  for (const issue of result.error?.issues ?? []) report(source, issue)
  for (let round = 0; round < mostRounds && !result.success; round += 1) {
    for (const issue of result.error.issues) leaveOut(source, issue)
    result = schema.safeParse(source.value)
  }
  return result.success ? result.data : null
}

function leaveOut(source: Source, issue: z.core.$ZodIssue): void {
  const keys = issue.code === 'unrecognized_keys' ? issue.keys : [undefined]
  for (const key of keys) {
    const path = key === undefined ? issue.path : [...issue.path, key]
    const holder = at(source.value, path.slice(0, -1))
    const last = String(path.at(-1))
    if (key === undefined) source.wrong.push(path)
    if (isObject(holder) && Object.hasOwn(holder, last)) delete holder[last]
    // What is required and missing, or stands in a list, goes with what holds it.
    else if (path.length > 1) removeAt(source.value, path.slice(0, -1))
  }
}

function removeAt(value: unknown, path: Path): void {
  const holder = at(value, path.slice(0, -1))
  if (isObject(holder)) delete holder[String(path.at(-1))]
}

/**
 * A value from the environment is text until the schema says that it wants something else: then
 * `3000`, `true` or `[en, fr]` is read as YAML reads it.
 */
function retype(source: Source, issues: readonly z.core.$ZodIssue[]): boolean {
  let changed = false
  for (const issue of issues) {
    const path = source.textual.find((candidate) => name(candidate) === name(issue.path))
    const holder = path && at(source.value, path.slice(0, -1))
    const key = String(path?.at(-1))
    if (!isObject(holder) && !Array.isArray(holder)) continue
    const values = holder as Record<string, unknown>
    if (typeof values[key] !== 'string') continue
    try {
      values[key] = parseYaml(values[key])
      changed = true
    } catch {
      // Not YAML: the schema's own words about the text are the clearer ones.
    }
  }
  return changed
}

function report(source: Source, issue: z.core.$ZodIssue): void {
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      const path = [...issue.path, key]
      const near = nearest(key, keysAt(issue.path) ?? [])
      const hint = near === null ? '' : ` (did you mean "${near}"?)`
      source.problems.push(`${source.keyPlace(path)} ${name(path)}: unknown key${hint}`)
    }
  } else if (issue.code === 'invalid_key') {
    source.problems.push(
      `${source.keyPlace(issue.path)} ${name(issue.path)}: ${issue.issues[0]?.message ?? issue.message}`,
    )
  } else source.refuse(issue.path, rule(issue, at(source.value, issue.path)))
}

function rule(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return 'is required'
  if (issue.code !== 'invalid_type' || issue.message.startsWith('must ')) return issue.message
  return `must be a ${issue.expected}`
}

/** The candidate at most two typing slips away, or `null`. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null
  let least = Math.min(3, Math.ceil(word.length / 2) + 1)
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < least) [best, least] = [candidate, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      const swap = (row[j] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(swap, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)?.[key], value)
}

function shown(file: string): string {
  const short = relative(process.cwd(), resolve(file))
  return short.startsWith('..') ? file : short || basename(file)
}

function refusal(found: readonly string[]): ForgotError {
  const problems = [...new Set(found)].sort(byPlace)
  const head = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  const message = `The configuration cannot be used: ${head}\n${problems.map((line) => `  ${line}`).join('\n')}`
  return new ForgotError('ERR_FORGOT_CONFIG', message, { problems })
}

/** In the order of the files' lines, and last what stands in no file. */
function byPlace(one: string, other: string): number {
  const a = placeOf(one)
  const b = placeOf(other)
  if (a === null || b === null) return Number(a === null) - Number(b === null)
  return a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column
}

function placeOf(problem: string): { file: string; line: number; column: number } | null {
  const [, file, line, column] = /^(.*?):(\d+):(\d+) /.exec(problem) ?? []
  return file === undefined ? null : { file, line: Number(line), column: Number(column) }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) freeze(inner)
    Object.freeze(value)
  }
  return value
}
