export type Path = readonly PropertyKey[]
export type Environment = Readonly<Record<string, string | undefined>>

/** Values on their way to a configuration, with the place each came from. */
export class Source {
  value: Record<string, unknown> = {}
  /** Whether there is a file that relative paths are relative to. */
  isFile = false
  readonly problems: string[] = []
  /** Values that have a problem already: what follows from them is not worth a line of its own. */
  readonly wrong: Path[] = []
  /** Whether every file could be read as YAML. */
  isReadable = true
  /** Values that arrived as text from outside and may stand for a number, a boolean or a list. */
  readonly textual: Path[] = []
  readonly #keys = new Map<string, string>()
  readonly #values = new Map<string, string>()

  /** Sets one value, making the objects on its way. */
  set(path: Path, value: unknown, place: string): void {
    let target = this.value
    for (const key of path.slice(0, -1)) {
      const next = target[String(key)]
      if (!isObject(next)) target[String(key)] = {}
      target = target[String(key)] as Record<string, unknown>
    }
    target[String(path.at(-1))] = value
    this.mark(path, place, place)
  }

  mark(path: Path, keyPlace: string, valuePlace: string): void {
    this.#keys.set(id(path), keyPlace)
    this.#values.set(id(path), valuePlace)
  }

  keyPlace(path: Path): string {
    return this.#keys.get(id(path)) ?? this.valuePlace(path.slice(0, -1))
  }

  /** Where the value stands, or the nearest object around it. */
  valuePlace(path: Path): string {
    const place = this.#values.get(id(path))
    return place ?? (path.length > 0 ? this.valuePlace(path.slice(0, -1)) : 'configuration')
  }

  refuse(path: Path, rule: string): void {
    if (this.wrong.some((other) => isWithin(path, other) || isWithin(other, path))) return
    this.wrong.push(path)
    this.problems.push(`${this.valuePlace(path)} ${name(path)}: ${rule}`)
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `smtp.from.email`, `routes["/user/forgot"]`: a key's path as a person would write it. */
export function name(path: Path): string {
  return path
    .map((key, index) => {
      if (typeof key === 'number') return `[${key}]`
      if (!/^\w+$/.test(String(key))) return `["${String(key)}"]`
      return index > 0 ? `.${String(key)}` : String(key)
    })
    .join('')
}

function isWithin(path: Path, other: Path): boolean {
  return (
    other.length <= path.length && other.every((key, index) => String(key) === String(path[index]))
  )
}

function id(path: Path): string {
  return JSON.stringify(path.map(String))
}
