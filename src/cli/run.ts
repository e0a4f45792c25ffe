import { readFileSync } from 'node:fs'
import { ForgotError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { packagePath } from '../templates.ts'
import { type ExitCode, print, UsageError } from './command.ts'
import { commands, loadCommands } from './commands.ts'

/** Runs the command that `args` begin with. */
export async function run(args: readonly string[]): Promise<ExitCode | undefined> {
  const [name = 'help', ...rest] = args
  if (name === '--version' || name === 'version') return version()
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (load === undefined) return help(name)
  try {
    const { command } = await load()
    if (rest.includes('--help') || rest.includes('-h')) print(`${command.help}\n`)
    else return await command.run(rest)
    return 0
  } catch (error) {
    return fail(error)
  }
}

async function help(name: string): Promise<ExitCode> {
  const isAsked = ['help', '--help', '-h'].includes(name)
  const lines = [...(await loadCommands())].map(
    ([each, { summary }]) => `  ${each.padEnd(12)}${summary}`,
  )
  const near = nearest(name, Object.keys(commands))
  const hint = near === null ? '' : `; did you mean ${near}?`
  const unknown = isAsked ? '' : `There is no command ${name}${hint}\n\n`
  const text = `${unknown}forgot-password <command> [options]\n\n${lines.join('\n')}\n\n<command> --help tells more; --version says which version this is.\n`
  ;(isAsked ? process.stdout : process.stderr).write(text)
  return isAsked ? 0 : 2
}

function version(): ExitCode {
  const manifest = JSON.parse(readFileSync(packagePath('package.json'), 'utf8'))
  process.stdout.write(`${(manifest as { version: string }).version}\n`)
  return 0
}

// What the owner can mend in the configuration, or in what it names.
const unusable = new Set<unknown>([
  'ERR_FORGOT_CONFIG',
  'ERR_FORGOT_STORE',
  'ERR_FORGOT_TEMPLATE',
  'ERR_FORGOT_USERS',
])

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
  return isUsage || (error instanceof ForgotError && unusable.has(error.code)) ? 2 : 1
}
