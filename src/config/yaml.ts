import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml'
import { isSection } from './keys.ts'
import { type Path, type Place, shownFile } from './problems.ts'
import { type Environment, isObject, type Source } from './source.ts'

/**
 * Reads a YAML file and those it imports into `source`, the imported ones first.
 *
 * @param shown The file's name as the owner knows it: it opens every problem's line.
 */
export function readYaml(
  source: Source,
  file: string,
  env: Environment,
  shown: string = file,
  open: readonly string[] = [],
): void {
  const text = readText(source, file, shown)
  if (text === null) return
  const reader = new YamlReader(source, text, shown, env)
  const root = reader.root()
  if (root === null) return
  for (const imported of reader.imports(root)) {
    const path = resolve(dirname(file), imported)
    if (open.includes(path)) source.problems.add(shown, ['imports'], `${imported} imports itself`)
    else readYaml(source, path, env, shownFile(path), [...open, file])
  }
  reader.mergeInto(source.value, root, [])
}

class YamlReader {
  readonly #source: Source
  readonly #lines = new LineCounter()
  readonly #text: string
  readonly #shown: string
  readonly #env: Environment
  readonly #document: ReturnType<typeof parseDocument>

  constructor(source: Source, text: string, shown: string, env: Environment) {
    this.#source = source
    this.#text = text
    this.#shown = shown
    this.#env = env
    // Pretty errors would quote the line they are about, and with it a secret.
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false })
  }

  root(): Node | null {
    // An unknown tag is only a warning to the parser, but it is a mistake in a configuration. What follows
    // the first fault is mostly its consequence.
    const [fault] = [...this.#document.errors, ...this.#document.warnings]
    if (fault !== undefined) {
      const isTwice = fault.code === 'DUPLICATE_KEY'
      const rule = isTwice ? 'this key stands here for the second time' : fault.message
      // Within braces, YAML takes the one of a ${VAR} for the beginning of another map.
      const isBare = this.#text.slice(fault.pos[0] - 1, fault.pos[0] + 1) === '${'
      const hint = isBare ? ': put it in quotes, as in "${VAR}"' : ''
      this.#source.giveUp(this.#place(fault.pos[0]), `${rule}${hint}`)
      return null
    }
    const root = this.#document.contents
    const start = { file: this.#shown, line: 1, column: 1 }
    this.#source.mark([], start, start)
    if (root === null || isMap(root)) return root
    this.#source.giveUp(start, 'must be keys and values')
    return null
  }

  imports(root: Node): string[] {
    const node = isMap(root) ? root.get('imports', true) : undefined
    const files = isSeq(node) ? node.items.map((item) => (isScalar(item) ? item.value : null)) : []
    return files.filter((file): file is string => typeof file === 'string')
  }

  /** Objects are merged key by key; anything else replaces what an import said. */
  mergeInto(target: Record<string, unknown>, node: Node, path: Path): void {
    if (!isMap(node)) return
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const key = isScalar(pair.key) ? String(pair.key.value) : ''
      const inner = [...path, key]
      const value = pair.value
      const keyPlace = this.#place(pair.key.range?.[0] ?? 0)
      this.#source.mark(inner, keyPlace, this.#placeOf(value) ?? keyPlace)
      if (isMap(value)) {
        const before = Object.hasOwn(target, key) ? target[key] : undefined
        const merged = isObject(before) ? before : {}
        define(target, key, merged)
        this.mergeInto(merged, value, inner)
      } else if (!isEmpty(value) || !isSection(inner)) define(target, key, this.#read(value, inner))
    }
  }

  #read(node: Node | null, path: Path): unknown {
    if (isSeq(node)) {
      return (node.items as Node[]).map((item, index) => {
        const inner = [...path, index]
        const place = this.#placeOf(item) ?? this.#source.valuePlace(path)
        this.#source.mark(inner, place, place)
        return this.#read(item, inner)
      })
    }
    if (isMap(node)) {
      const value = {}
      this.mergeInto(value, node, path)
      return value
    }
    const value = node === null ? null : node.toJS(this.#document)
    return typeof value === 'string' ? this.#substitute(value, path) : value
  }

  /** `${VAR}`, `${VAR:-default}`, `${VAR:?message}`; `$${` stands for `${`. */
  #substitute(text: string, path: Path): string {
    if (!text.includes('${')) return text
    this.#source.markTextual(path)
    return text.replace(
      /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([-?])([^}]*))?\}/g,
      (whole, variable: string | undefined, operator: string | undefined, rest: string) => {
        if (variable === undefined) return whole.slice(1)
        const value = this.#env[variable]
        if (value !== undefined && (value !== '' || operator === undefined)) return value
        if (operator === '-') return rest
        const hint = operator === '?' && rest !== '' ? `: ${rest}` : ''
        this.#source.refuse(path, `the environment variable ${variable} is not set${hint}`)
        return ''
      },
    )
  }

  #placeOf(node: Node | null): Place | null {
    return node?.range ? this.#place(node.range[0]) : null
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { file: this.#shown, line, column: col }
  }
}

function isEmpty(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null)
}

function readText(source: Source, file: string, shown: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const why = code === 'ENOENT' ? `there is no file ${file}` : `${file} cannot be read (${code})`
    source.giveUp(shown, why)
    return null
  }
}

// `__proto__` as a key must become an ordinary, unknown key and not touch the prototype.
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  })
}
