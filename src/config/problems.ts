import { basename, relative, resolve } from 'node:path'
import { ForgotError } from '../errors.ts'

/** The keys that lead to a value. */
export type Path = readonly PropertyKey[]

/** Where a value stands: in a file, or by name in the environment or in what a host has given. */
export type Place =
  | { readonly file: string; readonly line: number; readonly column: number }
  | string

interface Problem {
  readonly place: Place
  /** `null` when it is about no key at all. */
  readonly path: Path | null
  readonly rule: string
}

/** What is wrong with a configuration, collected until all of it can be told at once. */
export class Problems {
  readonly #found: Problem[] = []

  get isEmpty(): boolean {
    return this.#found.length === 0
  }

  /** Adds a problem, unless the value, or one around or within it, has one already. */
  add(place: Place, path: Path | null, rule: string): void {
    const isKnown =
      path !== null && this.#found.some((each) => each.path && overlap(each.path, path))
    if (!isKnown) this.#found.push({ place, path, rule })
  }

  /** All of them, each `place key: rule`, in the order of the files' lines. */
  toError(): ForgotError {
    const problems = this.#found.toSorted(byPlace).map(showProblem)
    const head = problems.length === 1 ? '1 problem' : `${problems.length} problems`
    const lines = problems.map((line) => `  ${line}`).join('\n')
    const message = `The configuration cannot be used: ${head}\n${lines}`
    return new ForgotError('ERR_FORGOT_CONFIG', message, { problems })
  }
}

/** `smtp.from.email`, `routes["/user/forgot"]`: a path as a person would write it. */
function showPath(path: Path): string {
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`
      if (!/^\w+$/.test(String(key))) return `["${String(key)}"]`
      return index > 0 ? `.${String(key)}` : String(key)
    })
    .join('')
}

/** A file's name as its owner knows it. */
export function shownFile(file: string): string {
  const short = relative(process.cwd(), resolve(file))
  return short.startsWith('..') ? file : short || basename(file)
}

/** `config.yaml:3:9`, or the name that a place has. */
export function showPlace(place: Place): string {
  return typeof place === 'string' ? place : `${place.file}:${place.line}:${place.column}`
}

function showProblem({ place, path, rule }: Problem): string {
  const where = showPlace(place)
  if (path === null || path.length === 0)
    return `${where}${typeof place === 'string' ? ':' : ''} ${rule}`
  return `${where} ${showPath(path)}: ${rule}`
}

/** What stands in no file comes last, as it was found. */
function byPlace({ place: a }: Problem, { place: b }: Problem): number {
  if (typeof a === 'string' || typeof b === 'string') {
    return Number(typeof a === 'string') - Number(typeof b === 'string')
  }
  return a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column
}

function overlap(path: Path, other: Path): boolean {
  const length = Math.min(path.length, other.length)
  return path.slice(0, length).every((key, index) => String(key) === String(other[index]))
}
