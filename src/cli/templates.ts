import { dirname, join, relative, resolve } from 'node:path'
import * as util from 'node:util'
import { traceConfig } from '../config/load.ts'
import { defaultFolders } from '../config/values.ts'
import {
  ejectTemplate,
  type OwnTemplate,
  ownTemplates,
  readTemplate,
  type TemplateState,
  templateFiles,
  withoutMark,
} from '../ejected.ts'
import { nearest } from '../nearest.ts'
import {
  type Command,
  configOption,
  jsonOption,
  parse,
  print,
  printJson,
  UsageError,
} from './command.ts'

const options = { ...configOption, ...jsonOption } as const

export const command: Command = {
  summary: 'copies built-in templates to change them, and compares yours with the built-in ones',
  help: `forgot-password templates list
forgot-password templates eject <name> [--config <file>]
forgot-password templates diff [<name>] [--json] [--config <file>]

list  names every template, style sheet and script that a site may have of its own.
eject copies one into the folder of the key templates, ./templates beside the configuration unless it is set, for
      you to change: yours wins from the next start on. A mark in it tells what it is a copy of. Nothing that is
      there is overwritten.
diff  compares each file of yours with the built-in one, line by line: - the built-in one has, + yours has. It ends
      with 1 where one is stale: the built-in one has changed since it was copied, as after an upgrade. Take over
      what you need, or remove yours and eject it anew.

A name is that of the file, with or without .eta: forgot-sent, parts/code, email/fr/link, assets/style.css.

  forgot-password templates eject forgot-sent
  forgot-password templates eject email/fr/link
  forgot-password templates diff`,
  options,
  actions: ['list', 'eject', 'diff'],

  async run(args) {
    const { positionals, values } = parse(args, options, 2)
    const [action, name] = positionals
    if (action === 'list') {
      print(`${templateFiles().join('\n')}\n`)
      return 0
    }
    const folder = ownFolder(values.config)
    if (action === 'eject') {
      if (name === undefined) {
        throw new UsageError(
          'templates eject: say which; "forgot-password templates list" names them',
        )
      }
      print(`${relative(process.cwd(), ejectTemplate(fileOf(name), folder.path))}\n`)
      return 0
    }
    if (action !== 'diff') throw new UsageError('templates: say list, eject or diff')
    const file = name === undefined ? null : fileOf(name)
    const own = folder.isThere ? ownTemplates(folder.path) : []
    const shown = own.filter((each) => file === null || each.file === file)
    if (values.json === true)
      printJson(shown.map(({ file, path, state }) => ({ file, path, state })))
    else
      print(shown.length === 0 ? 'There are none of your own.\n' : shown.map(describe).join('\n'))
    return shown.some(({ state }) => state === 'stale') ? 1 : 0
  },
}

/** Where the site's own files are, or would be. */
function ownFolder(from: string | undefined): { readonly path: string; readonly isThere: boolean } {
  const { config, file, given } = traceConfig(from)
  if (config.templates !== null) return { path: config.templates, isThere: true }
  if (given(['templates'])?.value === null) {
    throw new UsageError(
      'templates: the key templates is null, so no files of your own are read: name a folder',
    )
  }
  // Beside no file, no folder counts: what is written there would never be seen.
  if (file === null) {
    throw new UsageError(
      'templates: there is no config.yaml here; make one with "forgot-password init"',
    )
  }
  return { path: join(dirname(resolve(file)), defaultFolders.templates), isThere: false }
}

function fileOf(name: string): string {
  const files = templateFiles()
  const plain = name.replace(/^\.?\//, '')
  const found = [plain, `${plain}.eta`].find((each) => files.includes(each))
  if (found !== undefined) return found
  const near = nearest(`${plain}.eta`, files) ?? nearest(plain, files)
  const hint =
    near === null ? '; "forgot-password templates list" names them' : `; did you mean ${near}?`
  throw new UsageError(`templates: there is no template ${name}${hint}`)
}

const states: Readonly<Record<TemplateState, string>> = {
  same: 'the same as the built-in one: it can be removed',
  changed: 'changed by you; the built-in one is as it was',
  stale: 'stale: the built-in one has changed since you copied it',
  unmarked: 'differs from the built-in one; nothing tells which version it was copied from',
  added: 'yours alone',
}

function describe(own: OwnTemplate): string {
  const head = `${relative(process.cwd(), own.path)}: ${states[own.state]}\n`
  if (own.builtIn === null || own.state === 'same') return head
  const [theirs, yours] = [readTemplate(own.builtIn), readTemplate(own.path)]
  return `${head}${lineDiff(theirs, withoutMark(yours))}`
}

// Lines around a change, as many as diff programs show.
const context = 3

function lineDiff(before: string, after: string): string {
  // Node has it since 22.15; to import it by its name would keep this file from being loaded before.
  if (typeof util.diff !== 'function') return '  Node 22.15 or later shows the lines.\n'
  const lines = util.diff(before.split('\n'), after.split('\n'))
  const isNear = (at: number) =>
    lines.slice(Math.max(0, at - context), at + context + 1).some(([kind]) => kind !== 0)
  return lines
    .map(([kind, line], at) => {
      if (kind !== 0) return `  ${kind > 0 ? '-' : '+'} ${line}\n`
      if (isNear(at)) return `    ${line}\n`
      return isNear(at - 1) ? '    …\n' : ''
    })
    .join('')
}
