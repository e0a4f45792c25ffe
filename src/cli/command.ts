import { type ParseArgsConfig, parseArgs } from 'node:util'
import { nearest } from '../nearest.ts'

export type Options = NonNullable<ParseArgsConfig['options']>

/** 0 done, 1 failed, 2 unusable configuration or arguments. */
export type ExitCode = 0 | 1 | 2

/** One command of the command line. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** All there is to know, with examples. */
  readonly help: string
  /** What it takes beside `--help`. */
  readonly options: Options
  /** The words that its first one is among; none where that is free, or there is none. */
  readonly actions?: readonly string[]
  /** Resolves when it is done, or once it runs by itself; without an exit code all went well. */
  run(args: readonly string[]): Promise<ExitCode | undefined>
}

/** The arguments cannot be used. */
export class UsageError extends Error {}

/**
 * The options and the words of a command.
 *
 * @param words How many words beside its options the command takes at most; default: none.
 * @throws {UsageError} for an option or a word that the command does not have.
 */
export function parse<T extends Options>(
  args: readonly string[],
  options: T,
  words = 0,
): ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>> {
  const parsed = read(args, options)
  const stray = parsed.positionals[words]
  if (stray === undefined) return parsed
  const isFile = 'config' in options && /\.ya?ml$/.test(stray)
  throw new UsageError(`${stray}: not expected here${isFile ? `; say --config ${stray}` : ''}`)
}

function read<T extends Options>(
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    const { message } = error as Error
    // What follows the first sentence is advice about words that no command takes.
    const [sentence = message] = message.split('. ')
    const [, name = ''] = /option '--?([\w-]+)/.exec(message) ?? []
    const near = nearest(name, Object.keys(options))
    const hint = near === null || near === name ? '' : ` (did you mean --${near}?)`
    throw new UsageError(`${sentence.replace(/\.$/, '')}${hint}`)
  }
}

/** `--config <file>`, which every command takes that works on a site. */
export const configOption: { readonly config: { type: 'string'; short: 'c' } } = {
  config: { type: 'string', short: 'c' },
}

/** `--json`, for whoever reads the output by program. */
export const jsonOption: { readonly json: { type: 'boolean' } } = { json: { type: 'boolean' } }

/** What to type to call this program: one that is installed for a folder alone is called by npx. */
export function programName(): string {
  return process.env['npm_command'] === 'exec' ? 'npx forgot-password' : 'forgot-password'
}

/** Writes to standard output. */
export function print(text: string): void {
  process.stdout.write(text)
}

/** Writes data to standard output, for programs. */
export function printJson(data: unknown): void {
  print(`${JSON.stringify(data, null, 2)}\n`)
}
