import { type Path, type Place, Problems, showPlace } from './problems.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** A value as its owner has written it. */
export interface Given {
  readonly value: unknown
  /** `config.yaml:3:9`, or the name of a variable. */
  readonly place: string
  /** Whether it holds a variable: then the file does not tell it. */
  readonly isFromEnvironment: boolean
}

/** Values on their way to a configuration, with the place each came from. */
export class Source {
  /** Whether there is a file that relative paths are relative to. */
  readonly isFile: boolean
  readonly problems: Problems = new Problems()
  #value: Record<string, unknown>
  #isReadable = true
  readonly #textual = new Set<string>()
  readonly #keyPlaces = new Map<string, Place>()
  readonly #valuePlaces = new Map<string, Place>()

  constructor(values: Record<string, unknown>, { isFile }: { isFile: boolean }) {
    this.#value = values
    this.isFile = isFile
  }

  get value(): Record<string, unknown> {
    return this.#value
  }

  /** False once a file could not be read at all: then nothing can be said about its values. */
  get isReadable(): boolean {
    return this.#isReadable
  }

  /** A file that cannot be read, for the reason given. */
  giveUp(place: Place, rule: string): void {
    this.#isReadable = false
    this.problems.add(place, null, rule)
  }

  /** Sets one value, making the objects on its way. */
  set(path: Path, value: unknown, place: Place): void {
    let target = this.#value
    for (const key of path.slice(0, -1).map(String)) {
      const inner = isObject(target[key]) ? target[key] : {}
      target[key] = inner
      target = inner
    }
    target[String(path.at(-1))] = value
    this.mark(path, place, place)
  }

  mark(path: Path, keyPlace: Place, valuePlace: Place): void {
    this.#keyPlaces.set(pathKey(path), keyPlace)
    this.#valuePlaces.set(pathKey(path), valuePlace)
  }

  /** Marks a value that arrived as text from outside and may stand for a number or a list. */
  markTextual(path: Path): void {
    this.#textual.add(pathKey(path))
  }

  isTextual(path: Path): boolean {
    return this.#textual.has(pathKey(path))
  }

  keyPlace(path: Path): Place {
    return this.#keyPlaces.get(pathKey(path)) ?? this.valuePlace(path.slice(0, -1))
  }

  /** Where the value stands, or the nearest object around it. */
  valuePlace(path: Path): Place {
    const place = this.#valuePlaces.get(pathKey(path))
    return place ?? (path.length > 0 ? this.valuePlace(path.slice(0, -1)) : 'configuration')
  }

  /** A value as it was set, and the place of it or of the object around it; `null` when nobody has set it. */
  given(path: Path): Given | null {
    const value = valueAt(this.#value, path)
    if (value === undefined) return null
    const place = showPlace(this.valuePlace(path))
    return { value, place, isFromEnvironment: this.isTextual(path) }
  }

  /** Adds a problem with a value, at its place. */
  refuse(path: Path, rule: string): void {
    this.problems.add(this.valuePlace(path), path, rule)
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What stands at a path, or `undefined`. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[key],
    value,
  )
}

function pathKey(path: Path): string {
  return JSON.stringify(path.map(String))
}
