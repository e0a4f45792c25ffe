import { existsSync } from 'node:fs'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { openOwnDatabase, storeFile } from '../databases.ts'
import type { Engine } from '../store/engine.ts'
import { migrate, migrationNames, pendingMigrations } from '../store/migrations.ts'
import type { Tables } from '../store/schema.ts'
import { type Command, configOption, jsonOption, parse, print, printJson } from './command.ts'

const options = { ...configOption, ...jsonOption, status: { type: 'boolean' } } as const

export const command: Command = {
  summary: 'makes the tables of the store, or brings them up to date',
  help: `forgot-password migrate [--status] [--json] [--config <file>]

Makes the tables of store.url, or brings them to the version of this program, and names the steps it took. Servers
do this by themselves when they start; call it where they may not change tables, as a user that may.
With --status nothing is changed: it lists the steps that are still to be taken, and ends with 1 if there are any.

  forgot-password migrate --status
  FORGOT_STORE__URL=postgres://owner:secret@db.site.example/recovery forgot-password migrate`,
  options,

  async run(args) {
    const { values } = parse(args, options)
    const { store } = loadConfig(values.config)
    const isStatus = values.status === true
    const steps = await (isStatus ? pending(store) : take(store))
    if (values.json === true) printJson(isStatus ? { pending: steps } : { done: steps })
    else print(steps.length === 0 ? 'The tables are up to date.\n' : `${steps.join('\n')}\n`)
    return isStatus && steps.length > 0 ? 1 : 0
  },
}

type StorePlace = Config['store']

async function pending(store: StorePlace): Promise<string[]> {
  const file = storeFile(store)
  // To open it would make it.
  if (file !== null && !existsSync(file)) return [...migrationNames]
  return withEngine(store, (engine) => pendingMigrations(engine, store.tablePrefix))
}

function take(store: StorePlace): Promise<string[]> {
  return withEngine(store, (engine) => migrate(engine, store.tablePrefix))
}

async function withEngine<T>(
  store: StorePlace,
  work: (engine: Engine<Tables>) => Promise<T>,
): Promise<T> {
  const engine = await openOwnDatabase(store)
  try {
    return await work(engine)
  } finally {
    await engine.close()
  }
}
