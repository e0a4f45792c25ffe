import { loadConfig } from '../config/load.ts'
import { serveCourier } from '../serve.ts'
import { type Command, configOption, parse, UsageError } from './command.ts'

const options = { ...configOption, port: { type: 'string', short: 'p' } } as const

export const command: Command = {
  summary: 'delivers the mails, for servers that run with --no-courier',
  help: `forgot-password courier [--config <file>] [--port <number>]

Delivers the mails of one store until it is told to stop (SIGTERM, SIGINT). Any number may run at a time, each
mail is taken by one of them. With --port, /health, /ready and, with metrics.enabled, /metrics answer there.

  forgot-password serve --no-courier
  forgot-password courier
  forgot-password courier --port 3001 --config /etc/forgot-password/config.yaml`,
  options,

  async run(args) {
    const { values } = parse(args, options)
    const port = values.port === undefined ? null : Number(values.port)
    if (port !== null && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
      throw new UsageError('--port: must be a port, 1 to 65535')
    }
    const config = loadConfig(values.config)
    await serveCourier(config, port)
    const where = port === null ? '' : `; http://${config.server.host}:${port}/ready`
    process.stdout.write(`Delivering the mails of ${config.site.url}${where}\n`)
  },
}
