import { systemClock } from '../clock.ts'
import { loadConfig } from '../config/load.ts'
import { requireStore } from '../databases.ts'
import { Opened } from '../opened.ts'
import { openStore, retentionMs } from '../parts.ts'
import { type Command, configOption, parse, print } from './command.ts'

const options = { ...configOption } as const
// As many as the server deletes at a time: requests go in between.
const batch = 500

export const command: Command = {
  summary: 'deletes what ended long ago, for stores that no server is running on',
  help: `forgot-password prune [--config <file>]

Deletes recoveries and mails a day after their end (or after the longest of limits.perAccount), and events that are
half a year old. A running server does this every minute.

  forgot-password prune
  0 4 * * * forgot-password prune --config /etc/forgot-password/config.yaml`,
  options,

  async run(args) {
    const { values } = parse(args, options)
    const config = loadConfig(values.config)
    requireStore(config.store)
    const opened = new Opened()
    try {
      const { store } = await openStore(config, opened)
      const now = systemClock.now()
      while (await store.prune(now, now - retentionMs(config), batch));
      print('What ended long ago is deleted.\n')
      return 0
    } finally {
      await opened.close()
    }
  },
}
