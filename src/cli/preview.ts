import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { loadConfig } from '../config/load.ts'
import { previewPath } from '../preview/choice.ts'
import type { PreviewParts } from '../preview/preview.ts'
import { servePreview } from '../serve.ts'
import { type Command, configOption, parse, UsageError } from './command.ts'

const options = { ...configOption, port: { type: 'string' } } as const

const host = '127.0.0.1'
const firstPort = 3100
const portCount = 100

export const command: Command = {
  summary: 'shows every page and mail in every language, and each change to them at once',
  help: `forgot-password preview [--config <file>] [--port <number>]

Shows the pages and mails of a site in a browser while you write its texts, templates and theme:
every state, every language, light and dark, narrow and wide. It needs no secret, no database, no users and
no mail server, whether they are configured or not, and makes no files; to send a mail to yourself it needs
the mail server. A change to a file shows at once; a broken one is told with its line.
Without --config it takes ./config.yaml, and without that the built-in demo's.
Without --port it takes the first free one from ${firstPort} on.

  forgot-password preview
  forgot-password preview --config /etc/forgot-password/config.yaml --port 8080`,
  options,

  async run(args) {
    const { values } = parse(args, options)
    const load: PreviewParts['load'] = (onFiles) =>
      loadConfig(values.config, { isPreview: true, onFiles })
    const config = load(() => {})
    const port = await choosePort(values.port)
    const configFile = resolve(values.config ?? 'config.yaml')
    const parts = { load, configFile, hasMailbox: false, links: [] }
    await servePreview(config, parts, { host, port })
    process.stdout.write(`\n  Open       http://${host}:${port}${previewPath}\n\n`)
  },
}

async function choosePort(typed: string | undefined): Promise<number> {
  if (typed !== undefined) {
    const port = Number(typed)
    if (/^\d+$/.test(typed) && port > 0 && port < 65_536) return port
    throw new UsageError('--port: must be a number, 1 to 65535')
  }
  for (let port = firstPort; port < firstPort + portCount; port += 1) {
    if (await isFree(port)) return port
  }
  throw new UsageError(
    `preview: no port from ${firstPort} to ${firstPort + portCount - 1} is free: say --port <number>`,
  )
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((settle) => {
    server.once('error', () => settle(false))
    server.listen(port, host, () => server.close(() => settle(true)))
  })
}
