import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { ForgotError } from './errors.ts'
import { builtInTemplates } from './templates.ts'

/**
 * How an own file stands to the built-in one of its name: `same` as it; `changed` by the site; `stale`, since the
 * built-in one has changed after it was copied; `unmarked`, when nothing tells what it was copied from; `added`,
 * when there is no built-in one.
 */
export type TemplateState = 'same' | 'changed' | 'stale' | 'unmarked' | 'added'

/** A file of the site's own. */
export interface OwnTemplate {
  /** Named from its folder, with slashes. */
  readonly file: string
  readonly path: string
  readonly state: TemplateState
  /** The built-in one's path; `null` when there is none. */
  readonly builtIn: string | null
}

const kinds = /\.(?:eta|css|js)$/
const marking =
  /[ ]*(?:#|\/\*|<%\/\*) copied from forgot-password [\w./@-]+ ([0-9a-f]{12})\b[^\n]*\n/

/** The files that a site may have of its own, in their order; not what editors put beside them, whose names begin with a dot. */
export function templateFiles(folder: string = builtInTemplates): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll(sep, '/'))
    .filter((file) => kinds.test(file) && !/^demo\/|(?:^|\/)\./.test(file))
    .sort()
}

/** Those of them that are rendered. */
export function etaFiles(folder: string = builtInTemplates): string[] {
  return templateFiles(folder).filter((file) => file.endsWith('.eta'))
}

/**
 * Copies a built-in file into a site's own folder, with a mark of what it is a copy of, so that a later version of
 * the module can tell that it has another.
 *
 * @returns The path of the copy.
 * @throws {ForgotError} `ERR_FORGOT_TEMPLATE` when there is such a file already.
 */
export function ejectTemplate(file: string, folder: string): string {
  const path = join(folder, file)
  if (existsSync(path)) {
    const message = `${path} is there already: remove it first, or see "forgot-password templates diff"`
    throw new ForgotError('ERR_FORGOT_TEMPLATE', message)
  }
  const text = marked(file, readTemplate(join(builtInTemplates, file)))
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text, { flag: 'wx' })
    return path
  } catch (error) {
    throw unusable(path, 'written', error)
  }
}

/** Every file of a site's own, with how it stands to the built-in one of its name. */
export function ownTemplates(folder: string): OwnTemplate[] {
  return templateFiles(folder).map((file) => {
    const path = join(folder, file)
    const builtIn = join(builtInTemplates, file)
    const isThere = existsSync(builtIn)
    return {
      file,
      path,
      state: stateOf(path, isThere ? builtIn : null),
      builtIn: isThere ? builtIn : null,
    }
  })
}

/** @throws {ForgotError} `ERR_FORGOT_TEMPLATE` when it cannot be read. */
export function readTemplate(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw unusable(path, 'read', error)
  }
}

function unusable(path: string, done: 'read' | 'written', cause: unknown): ForgotError {
  const { code } = cause as NodeJS.ErrnoException
  return new ForgotError('ERR_FORGOT_TEMPLATE', `${path}: cannot be ${done} (${code})`, { cause })
}

/** The text of an own file without the mark. */
export function withoutMark(text: string): string {
  return text.replace(marking, '')
}

function stateOf(path: string, builtIn: string | null): TemplateState {
  if (builtIn === null) return 'added'
  const [own, original] = [readTemplate(path), readTemplate(builtIn)]
  if (withoutMark(own) === original) return 'same'
  const [, mark] = marking.exec(own) ?? []
  if (mark === undefined) return 'unmarked'
  return mark === digestOf(original) ? 'changed' : 'stale'
}

/** As a comment of the file's own language, where it changes nothing. */
function marked(file: string, text: string): string {
  const mark = `copied from forgot-password ${file} ${digestOf(text)}`
  if (!file.endsWith('.eta')) return `/* ${mark} */\n${text}`
  return text.startsWith('---\n')
    ? text.replace('---\n', `---\n# ${mark}\n`)
    : `<%/* ${mark} */%>\n${text}`
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
