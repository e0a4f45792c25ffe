import type { TrailEvent } from '../store/store.ts'
import {
  type Command,
  configOption,
  jsonOption,
  parse,
  print,
  printJson,
  UsageError,
} from './command.ts'
import { atDesk } from './desk.ts'
import { shownId, table } from './table.ts'

const options = { ...configOption, ...jsonOption, count: { type: 'string' } } as const
const mostListed = 100

export const command: Command = {
  summary: 'tells what happened to the account of an address',
  help: `forgot-password audit <email> [--count <number>] [--json] [--config <file>]

Lists what was asked for an address and what became of it, the newest first: at most a hundred events, or --count.
docs/events.md tells what each event means. Addresses are not stored: they are found by their MAC, under the
secrets of the configuration.

  forgot-password audit maria@site.example
  forgot-password audit maria@site.example --count 5 --json`,
  options,

  async run(args) {
    const { positionals, values } = parse(args, options, 1)
    const count = Number(values.count ?? mostListed)
    if (!(Number.isInteger(count) && count > 0)) throw new UsageError('--count: must be a number')
    const [email = ''] = positionals
    const events = await atDesk(values.config, (desk) => desk.events(email, count))
    if (values.json === true) printJson(events.map(toJson))
    else print(show(events))
    return 0
  },
}

function toJson({ id, name, at, resetId, userId, client, reason }: TrailEvent): object {
  return { id, event: name, at: instant(at), resetId, userId, client, reason }
}

function show(events: readonly TrailEvent[]): string {
  if (events.length === 0) return 'Nothing is known of this address.\n'
  const rows = events.map((event) => [
    instant(event.at),
    event.name,
    event.reason,
    event.client,
    shownId(event.resetId ?? ''),
  ])
  return table(['at', 'event', 'why', 'network', 'recovery'], rows)
}

function instant(time: number): string {
  return new Date(time).toISOString()
}
