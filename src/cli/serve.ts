import { relative } from 'node:path'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { demoAccounts, demoPassword } from '../demo/accounts.ts'
import { isProcess, leave, processCount, processParts } from '../processes.ts'
import { serve, serveProcesses } from '../serve.ts'
import { type Command, configOption, parse } from './command.ts'
import { saveMemory } from './memory.ts'

const options = { ...configOption, 'no-courier': { type: 'boolean' } } as const

export const command: Command = {
  summary: 'runs the server; without any users configured, the demo',
  help: `forgot-password serve [--config <file>] [--no-courier]

Runs the server until it is told to stop (SIGTERM, SIGINT).
Without --config it takes ./config.yaml, and without that the built-in demo.
With --no-courier it delivers no mails: "forgot-password courier" does, in a process of its own.

  forgot-password serve
  forgot-password serve --config /etc/forgot-password/config.yaml
  FORGOT_SERVER__PORT=8080 forgot-password serve`,
  options,

  async run(args) {
    const { values } = parse(args, options)
    const config = loadConfig(values.config)
    const isDelivering = values['no-courier'] !== true
    const count = processCount(config)
    if (isProcess()) {
      await serve(config, processParts()).catch(leave)
      void saveMemory()
      return
    }
    if (count > 1) await serveProcesses(config, count, { isDelivering })
    else await serve(config, { isDelivering })
    void saveMemory()
    process.stdout.write(config.users === null ? demoGreeting(config) : greeting(config))
  },
}

function greeting(config: Config): string {
  const { host, port } = config.server
  return `Listening on http://${host}:${port}, for ${config.site.url}${config.route}\n${mailNote(config)}`
}

function demoGreeting(config: Config): string {
  const [account] = demoAccounts
  return `
  Open       ${config.site.url}/
  Account    ${account.email}
  Password   ${demoPassword}
  Forgot it? Follow "Forgot your password?" there.
${mailNote(config)}
`
}

function mailNote(config: Config): string {
  if (!config.hasMailbox) return ''
  const folder = relative(process.cwd(), `${config.dataDir}/mailbox`)
  return `  Mails      ${config.site.url}/dev/mailbox (files in ${folder})\n`
}
