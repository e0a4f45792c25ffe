import { type ParseArgsConfig, parseArgs } from 'node:util'
import { nearest } from '../nearest.ts'

/** One command of the command line. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string
  /** All there is to know, with examples. */
  readonly help: string
  /** Resolves when it is done, or once it runs by itself. */
  run(args: readonly string[]): Promise<void>
}

/** The arguments cannot be used. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>

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

/** `--config <file>`, which every command takes. */
export const configOption: { config: { type: 'string'; short: 'c' } } = {
  config: { type: 'string', short: 'c' },
}
