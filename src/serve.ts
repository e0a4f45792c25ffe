import type { Config } from './config/config.ts'
import { openBell } from './databases.ts'
import { ForgotError } from './errors.ts'
import { mountHealth } from './health.ts'
import { describeError } from './log.ts'
import { Metrics } from './metrics.ts'
import { inspectOwnFiles } from './own-files.ts'
import { joinOthers } from './parts.ts'
import type { PreviewParts } from './preview/preview.ts'
import { Processes } from './processes.ts'
import { loadAssets } from './respond/assets.ts'
import {
  createBareServer,
  createPreviewServer,
  createServer,
  type Server,
  type ServerOverrides,
} from './server.ts'
import type { WiredCourier, wireCourier } from './wire-courier.ts'

/**
 * Listens where the configuration says, until SIGTERM or SIGINT: then what is under way is finished.
 *
 * @throws {ForgotError} `ERR_FORGOT_LISTEN` when the port is taken or may not be opened.
 */
export async function serve(config: Config, overrides: ServerOverrides = {}): Promise<void> {
  const app = await createServer(config, overrides)
  await listen(app, config.server)
  stopOnSignals(app)
}

/**
 * Listens in several processes until SIGTERM or SIGINT. This one delivers the mails, and starts another for
 * each that ends.
 *
 * @throws {ForgotError} when a database, a template or a language cannot be used, or the port not opened.
 */
export async function serveProcesses(
  config: Config,
  count: number,
  { isDelivering }: { readonly isDelivering: boolean },
): Promise<void> {
  const app = createBareServer(config)
  const { log } = app
  const metrics = new Metrics()
  const wired = isDelivering ? await openCourier(config, { log }, metrics) : null
  const bell = isDelivering ? null : await openBell(config.store)
  const wake = () => (wired === null ? bell?.ring() : wired.courier.wake())
  const processes = new Processes({ log, metrics, wake })
  app.addHook('onReady', async () => wired?.courier.start())
  app.addHook('onClose', async () => {
    await Promise.all([processes.stop(), wired?.courier.stop()])
    await bell?.close()
  })
  try {
    await processes.start(count)
    await app.ready()
  } catch (error) {
    await app.close()
    throw error
  }
  stopOnSignals(app)
  void wired?.health.mail.warn(log)
}

/**
 * Delivers mails until SIGTERM or SIGINT, for servers that do not: no pages, and `/health`, `/ready` and
 * `/metrics` only where a port is given for them.
 *
 * @throws {ForgotError} when a database, a template or a language cannot be used, or the port not opened.
 */
export async function serveCourier(config: Config, port: number | null): Promise<void> {
  const app = createBareServer(config)
  const { core, courier, health } = await openCourier(config, { log: app.log })
  mountHealth(app, health)
  app.addHook('onReady', async () => courier.start())
  app.addHook('onClose', () => courier.stop())
  try {
    await joinOthers(config, core, app.log)
    const notes = await inspectOwnFiles({ config, ...core }, loadAssets(config, core.templates))
    for (const note of notes) app.log.warn(note)
  } catch (error) {
    // Its connections would keep the process alive.
    await app.close()
    throw error
  }
  if (port === null) await app.ready()
  else await listen(app, { host: config.server.host, port })
  stopOnSignals(app)
  void health.mail.warn(app.log)
}

/** Who delivers nothing need not load what delivers. */
async function openCourier(...parts: Parameters<typeof wireCourier>): Promise<WiredCourier> {
  const { wireCourier } = await import('./wire-courier.ts')
  return wireCourier(...parts)
}

/**
 * Shows the preview until SIGTERM or SIGINT.
 *
 * @param parts What it shows.
 * @throws {ForgotError} `ERR_FORGOT_LISTEN` when the port is taken or may not be opened.
 */
export async function servePreview(
  config: Config,
  parts: PreviewParts,
  at: { readonly host: string; readonly port: number },
): Promise<void> {
  const app = await createPreviewServer(config, parts)
  await listen(app, at, 'say --port <number>')
  stopOnSignals(app)
}

/** @param remedy How another port is chosen. */
async function listen(
  app: Server,
  { host, port }: { host: string; port: number },
  remedy = 'set server.port or FORGOT_SERVER__PORT',
) {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    await app.close()
    throw listenError({ host, port, remedy }, cause as NodeJS.ErrnoException)
  }
}

function stopOnSignals(app: Server): void {
  let isStopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // Told once more it goes on finishing: unheard, the signal would end it in the middle of that.
      if (!isStopping) stop(app, signal)
      isStopping = true
    })
  }
}

// Z18: ten seconds for what is under way; a mail that takes longer keeps its place in the queue.
const stopWithinMs = 9000
const graceMs = 900

function stop(app: Server, signal: string): void {
  app.log.info({ signal }, 'stopping')
  setTimeout(() => app.server.closeAllConnections(), stopWithinMs).unref()
  // Whatever does not come to its end by then never will.
  setTimeout(() => process.exit(1), stopWithinMs + graceMs).unref()
  app.close().then(
    () => process.exit(0),
    (error: unknown) => {
      app.log.error({ error: describeError(error) }, 'stopping failed')
      process.exit(1)
    },
  )
}

function listenError(
  { host, port, remedy }: { host: string; port: number; remedy: string },
  cause: NodeJS.ErrnoException,
): ForgotError {
  const why: Record<string, string> = {
    EADDRINUSE: `another program is using it: stop that, or ${remedy}`,
    EACCES: 'this user may not open it: take a port above 1023',
    EADDRNOTAVAIL: 'this machine does not have that address: set server.host',
  }
  const reason = why[cause.code ?? ''] ?? cause.message
  return new ForgotError('ERR_FORGOT_LISTEN', `${host}:${port} cannot be listened on: ${reason}`, {
    cause,
  })
}
