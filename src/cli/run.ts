import { ForgotError } from '../errors.ts'
import type { Command } from './command.ts'
import { UsageError } from './command.ts'

/** Each command is one file of its name, loaded when it is called. */
const commands: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  config: () => import('./config.ts'),
  serve: () => import('./serve.ts'),
}

// 0 done, 1 failed, 2 unusable configuration or arguments.
type ExitCode = 0 | 1 | 2

/** Runs the command that `args` begin with. */
export async function run(args: readonly string[]): Promise<ExitCode | undefined> {
  const [name = 'help', ...rest] = args
  const load = commands[name]
  if (load === undefined) return help(name)
  try {
    const { command } = await load()
    if (rest.includes('--help') || rest.includes('-h')) process.stdout.write(`${command.help}\n`)
    else await command.run(rest)
    return undefined
  } catch (error) {
    return fail(error)
  }
}

async function help(name: string): Promise<ExitCode> {
  const isAsked = ['help', '--help', '-h'].includes(name)
  const lines = await Promise.all(
    Object.entries(commands).map(async ([each, load]) => {
      const { command } = await load()
      return `  ${each.padEnd(10)}${command.summary}`
    }),
  )
  const unknown = isAsked ? '' : `There is no command ${name}.\n\n`
  const text = `${unknown}forgot-password <command> [options]\n\n${lines.join('\n')}\n\n<command> --help tells more.\n`
  ;(isAsked ? process.stdout : process.stderr).write(text)
  return isAsked ? 0 : 2
}

function fail(error: unknown): ExitCode {
  const isUsage = error instanceof UsageError
  const isKnown = isUsage || error instanceof ForgotError
  const text =
    error instanceof Error
      ? isKnown
        ? error.message
        : (error.stack ?? error.message)
      : String(error)
  process.stderr.write(`${text}\n`)
  return isUsage || (error instanceof ForgotError && error.code === 'ERR_FORGOT_CONFIG') ? 2 : 1
}
