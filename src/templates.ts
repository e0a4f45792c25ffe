import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import { Eta, EtaRuntimeError, type TemplateFunction } from 'eta'
import { parse } from 'yaml'
import { ForgotError } from './errors.ts'
import { escapeHtml } from './html.ts'
import { readText, TextError } from './text.ts'

/** The folder of the templates that come with the module: beside `src` in a checkout, in `dist` once built. */
export const builtInTemplates: string = packagePath('templates')

/** The path of a folder or file that comes with the module, wherever it runs from. */
export function packagePath(name: string): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const built = join(here, name)
  return existsSync(built) ? built : join(here, '..', name)
}

const strict = { autoFilter: true, filterFunction: defined, varName: 'it' } as const

const frontMatter = /^---\r?\n(.*?)\r?\n---\r?\n/s

interface TemplatesOptions {
  readonly debug?: boolean
  readonly isWhole?: boolean
  readonly made?: ReadonlyMap<string, string>
}

/**
 * Eta over two folders: a file in the site's own folder wins over the built-in one of the same name, one
 * by one. Templates are code: the folder must be as trusted as the configuration.
 */
export class Templates extends Eta {
  /** The file that every page stands in. */
  readonly frame: string
  readonly #folders: readonly string[]
  readonly #made: ReadonlyMap<string, string>
  readonly #plain = new Eta({ ...strict, autoEscape: false })
  readonly #paths = new Map<string, string>()
  readonly #heads = new Map<string, Readonly<Record<string, TemplateFunction>>>()

  /**
   * @param own The site's own folder, or `null`.
   * @param debug Whether an error names its line, which costs time; default: it does not.
   * @param isWhole Whether pages stand in `layout.eta` (the default); else in `fragment.eta`, to be put into a page of the site's.
   * @param made Sources by the names of their files, for templates that are in no folder; default: none.
   */
  constructor(
    own: string | null,
    { debug = false, isWhole = true, made = new Map() }: TemplatesOptions = {},
  ) {
    super({ ...strict, cache: true, debug, escapeFunction: (value) => escapeHtml(String(value)) })
    this.#folders = own === null ? [builtInTemplates] : [own, builtInTemplates]
    this.#made = made
    this.frame = isWhole ? 'layout.eta' : 'fragment.eta'
    this.resolvePath = (template) => this.#resolve(template === 'layout' ? this.frame : template)
    // In debug mode the lines keep their numbers.
    const cut = (head: string) => (debug ? head.replace(/[^\n]+/g, '') : '')
    this.readFile = (path) => this.#source(path).replace(frontMatter, cut)
  }

  /** Whether either folder has this file, named from its root, or it was made. */
  has(file: string): boolean {
    return this.#made.has(file) || this.#folders.some((folder) => existsSync(join(folder, file)))
  }

  /** Whether anything has been rendered with this file. */
  isUsed(file: string): boolean {
    return [...this.#paths.values()].includes(this.find(file))
  }

  /** The path of a file that wins; of one that was made, its name. */
  find(file: string): string {
    if (this.#made.has(file)) return file
    for (const folder of this.#folders) {
      const path = resolve(folder, file)
      // Outside of its folder a name is a mistake or an attack, and in neither case a template.
      if (!relative(folder, path).startsWith('..') && existsSync(path)) return path
    }
    throw new ForgotError('ERR_FORGOT_TEMPLATE', `There is no template ${file}`)
  }

  /** The named lines of plain text at the head of a template, such as a mail's subject. */
  renderHead(template: string, data: object): Record<string, string> {
    let lines = this.#heads.get(template)
    if (lines === undefined) {
      lines = this.#readHead(this.#resolve(template))
      this.#heads.set(template, lines)
    }
    return Object.fromEntries(
      Object.entries(lines).map(([name, line]) => [name, this.#plain.render(line, data).trim()]),
    )
  }

  /** `path:line: why` when a file cannot be compiled; else `null`. */
  syntaxFault(file: string): string | null {
    const path = this.find(file)
    try {
      this.#readHead(path)
      const code = this.compileToString(this.readFile?.(path) ?? '')
      return scriptFault(code, path)
    } catch (error) {
      return faultOf(error, path)
    }
  }

  #source(path: string): string {
    return this.#made.get(path) ?? readText(path)
  }

  #readHead(path: string): Readonly<Record<string, TemplateFunction>> {
    const [, yaml = ''] = frontMatter.exec(this.#source(path)) ?? []
    // The line before them is that of the `---`: so the fault of one names its own.
    const lines = parse(`\n${yaml}`) as Record<string, unknown> | null
    return Object.fromEntries(
      Object.entries(lines ?? {}).map(([name, line]) => [name, this.#plain.compile(String(line))]),
    )
  }

  /** `./parts/x` and `parts/x` are both named from the root, so that an own file may use built-in parts. */
  #resolve(template: string): string {
    const known = this.#paths.get(template)
    if (known !== undefined) return known
    const file = template.endsWith('.eta') ? template : `${template}.eta`
    const path = this.find(file.replace(/^\.?\//, ''))
    this.#paths.set(template, path)
    return path
  }
}

/** `path:line: why` of what a template in debug mode has thrown; `path: why` where the line is not known. */
export function faultOf(error: unknown, path: string): string {
  let inner = error
  // A part's error comes wrapped in those of the templates around it.
  while (inner instanceof EtaRuntimeError && inner.cause instanceof EtaRuntimeError)
    inner = inner.cause
  const { message, cause } = inner as Error
  if (inner instanceof TextError && inner.place !== null)
    return `${path}:${inner.place.line}: ${message}`
  const [head = '', ...rest] = message.split('\n')
  if (inner instanceof EtaRuntimeError) return `${head}: ${(cause as Error).message}`
  const [, why, line] = / ?(.*) at line (\d+),? col(?:umn)? \d+:$/.exec(head) ?? []
  return line === undefined
    ? `${path}: ${[head, ...rest].join(' ').trim()}`
    : `${path}:${line}: ${why}`
}

/** The fault of compiled code: the nearest mark before it tells the template's line. */
function scriptFault(code: string, path: string): string | null {
  try {
    new Script(`(function (it, options) {\n${code}\n})`, { filename: 'template' })
    return null
  } catch (error) {
    const { message, stack = '' } = error as SyntaxError
    const [, row = '0'] = /^template:(\d+)/.exec(stack) ?? []
    const before = code
      .split('\n')
      .slice(0, Number(row) - 1)
      .join('\n')
    const line = before.match(/(?<=__eta\.line=)\d+/g)?.at(-1) ?? '1'
    return `${path}:${line}: ${message}`
  }
}

// Printing `undefined` to a visitor would hide a misspelt name in a template.
function defined(value: unknown): string {
  if (value === undefined || value === null) {
    throw new ForgotError('ERR_FORGOT_TEMPLATE', 'A template prints a value that is not there')
  }
  return String(value)
}
