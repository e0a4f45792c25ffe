import { type ParseArgsConfig, parseArgs } from 'node:util'

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

/** @throws {UsageError} for an option that the command does not have. */
export function parse<T extends Options>(
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** `--config <file>`, which every command takes. */
export const configOption: { config: { type: 'string'; short: 'c' } } = {
  config: { type: 'string', short: 'c' },
}
