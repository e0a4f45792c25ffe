import { loadConfig } from '../config/load.ts'
import { openOwnDatabase } from '../databases.ts'
import { Opened } from '../opened.ts'
import { copyStore } from '../store/copy.ts'
import { SqlStore } from '../store/sql.ts'
import { type Command, configOption, parse, UsageError } from './command.ts'

export const command: Command = {
  summary: 'copies everything that is open into another database',
  help: `forgot-password store copy --to <url> [--config <file>] [--prefix <prefix>]

Copies the recoveries, mails and events of store.url into an empty database, whose tables are made. What was
mailed works there as well. Stop the servers first: what they write meanwhile would stay behind. Then set
store.url to the new address, and start them again.

--prefix is the tablePrefix there; unless it is given, the one of the configuration.

  forgot-password store copy --to postgres://recovery:secret@db.site.example/recovery`,

  async run(args) {
    const options = { ...configOption, to: { type: 'string' }, prefix: { type: 'string' } } as const
    const { positionals, values } = parse(args, options, 1)
    if (positionals[0] !== 'copy' || values.to === undefined) {
      throw new UsageError('store: say "store copy --to <url>"')
    }
    const { store } = loadConfig(values.config)
    const prefix = values.prefix ?? store.tablePrefix
    // The address goes through the rules of the configuration, and the environment has no say in it.
    const wanted = { store: { url: values.to, tablePrefix: prefix }, secret }
    const target = loadConfig(wanted, { env: {} }).store
    const opened = new Opened()
    try {
      const from = await openOwnDatabase(store.url)
      opened.add(await SqlStore.open(from, store.tablePrefix))
      const to = await openOwnDatabase(target.url)
      opened.add(await SqlStore.open(to, prefix))
      const ends = [
        { engine: from, prefix: store.tablePrefix },
        { engine: to, prefix },
      ] as const
      const count = await copyStore(...ends)
      process.stdout.write(`${count} rows copied. Set store.url to the new address now.\n`)
    } finally {
      await opened.close()
    }
  },
}

// A store has none of its own: what it holds is opened by the secret of the configuration.
const secret = '0'.repeat(64)
