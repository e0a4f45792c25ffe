import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { openOwnDatabase } from '../databases.ts'
import { Opened } from '../opened.ts'
import { type CopyEnd, copyStore } from '../store/copy.ts'
import { SqlStore } from '../store/sql.ts'
import { type Command, configOption, parse, UsageError } from './command.ts'

const options = { ...configOption, to: { type: 'string' }, prefix: { type: 'string' } } as const

export const command: Command = {
  summary: 'copies everything that is open into another database; gives up lost secrets',
  help: `forgot-password store copy --to <url> [--config <file>] [--prefix <prefix>]
forgot-password store rekey [--config <file>]

copy puts the recoveries, mails and events of store.url into an empty database, whose tables are made. What was
mailed works there as well. Stop the servers first: what they write meanwhile would stay behind. Then set
store.url to the new address, and start them again. --prefix is the tablePrefix there; unless it is given, the
one of the configuration.

rekey has servers start with the secrets of the configuration although others were in use: the links, codes and
cookies that were made with those are void. Stop the servers first.

  forgot-password store copy --to postgres://recovery:secret@db.site.example/recovery
  forgot-password store rekey --config /etc/forgot-password/config.yaml`,
  options,
  actions: ['copy', 'rekey'],

  async run(args) {
    const { positionals, values } = parse(args, options, 1)
    const [what] = positionals
    const { store } = loadConfig(values.config)
    const opened = new Opened()
    try {
      if (what === 'copy' && values.to !== undefined) {
        const target = targetOf(values.to, values.prefix ?? store.tablePrefix)
        await copy(store, target, opened)
      } else if (what === 'rekey') await rekey(store, opened)
      else throw new UsageError('store: say "store copy --to <url>" or "store rekey"')
      return 0
    } finally {
      await opened.close()
    }
  },
}

type StorePlace = Config['store']

async function copy(from: StorePlace, to: StorePlace, opened: Opened): Promise<void> {
  const count = await copyStore(await open(from, opened), await open(to, opened))
  process.stdout.write(`${count} rows copied. Set store.url to the new address now.\n`)
}

async function rekey(store: StorePlace, opened: Opened): Promise<void> {
  const { keyMarks } = (await open(store, opened)).store
  await keyMarks.forget()
  process.stdout.write('The secrets of the configuration are taken at the next start.\n')
}

async function open(
  { url, tablePrefix: prefix }: StorePlace,
  opened: Opened,
): Promise<CopyEnd & { readonly store: SqlStore }> {
  const engine = await openOwnDatabase({ url, tablePrefix: prefix })
  return { engine, prefix, store: opened.add(await SqlStore.open(engine, prefix)) }
}

/** The address goes through the rules of the configuration, and the environment has no say in it. */
function targetOf(url: string, tablePrefix: string): StorePlace {
  // A store has no secret of its own: what it holds is opened by the secret of the configuration.
  const secret = '0'.repeat(64)
  return loadConfig({ store: { url, tablePrefix }, secret }, { env: {} }).store
}
