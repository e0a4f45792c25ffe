import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Eta, type TemplateFunction } from 'eta'
import { parse } from 'yaml'
import { ForgotError } from './errors.ts'
import { escapeHtml } from './html.ts'

/** The folder of the templates that come with the module: beside `src` in a checkout, in `dist` once built. */
export const builtInTemplates: string = packageFolder('templates')

/** A folder that comes with the module, wherever it runs from. */
export function packageFolder(name: string): string {
  const here = dirname(fileURLToPath(import.meta.url))
  const built = join(here, name)
  return existsSync(built) ? built : join(here, '..', name)
}

const frontMatter = /^---\r?\n(.*?)\r?\n---\r?\n/s

/**
 * Eta over two folders: a file in the site's own folder wins over the built-in one of the same name, one
 * by one. Templates are code: the folder must be as trusted as the configuration.
 */
export class Templates extends Eta {
  readonly #folders: readonly string[]
  readonly #plain = new Eta({ autoEscape: false, varName: 'it' })
  readonly #paths = new Map<string, string>()
  readonly #heads = new Map<string, Readonly<Record<string, TemplateFunction>>>()

  /** @param own The site's own folder, or `null`. */
  constructor(own: string | null) {
    super({ cache: true, escapeFunction: escapeValue, varName: 'it' })
    this.#folders = own === null ? [builtInTemplates] : [own, builtInTemplates]
    this.resolvePath = (template) => this.#resolve(template)
    this.readFile = (path) => readFileSync(path, 'utf8').replace(frontMatter, '')
  }

  /** Whether either folder has this file, named from its root. */
  has(file: string): boolean {
    return this.#folders.some((folder) => existsSync(join(folder, file)))
  }

  /** The path of a file that wins. */
  find(file: string): string {
    for (const folder of this.#folders) {
      const path = resolve(folder, file)
      // Outside of its folder a name is a mistake or an attack, and in neither case a template.
      if (!relative(folder, path).startsWith('..') && existsSync(path)) return path
    }
    throw new ForgotError('ERR_FORGOT_TEMPLATE', `There is no template ${file}`)
  }

  /** The named lines of plain text at the head of a template, such as a mail's subject. */
  renderHead(template: string, data: object): Record<string, string> {
    const lines = this.#heads.get(template) ?? this.#readHead(template)
    return Object.fromEntries(
      Object.entries(lines).map(([name, line]) => [name, this.#plain.render(line, data).trim()]),
    )
  }

  #readHead(template: string): Readonly<Record<string, TemplateFunction>> {
    const path = this.#resolve(template)
    const [, yaml = ''] = frontMatter.exec(readFileSync(path, 'utf8')) ?? []
    const lines = parse(yaml) as Record<string, unknown> | null
    const head = Object.fromEntries(
      Object.entries(lines ?? {}).map(([name, line]) => [name, this.#plain.compile(String(line))]),
    )
    this.#heads.set(template, head)
    return head
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

// Printing `undefined` to a visitor would hide a misspelt name in a template.
function escapeValue(value: unknown): string {
  if (value === undefined || value === null) {
    throw new ForgotError('ERR_FORGOT_TEMPLATE', 'A template prints a value that is not there')
  }
  return escapeHtml(String(value))
}
