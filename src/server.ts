import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { Config } from './config/config.ts'
import { DemoSite } from './demo/site.ts'
import { ForgotError } from './errors.ts'
import { answerError, mount, mountForgot } from './fastify.ts'
import type { Forgot } from './forgot.ts'
import { mountHealth } from './health.ts'
import { describeRequest } from './incoming.ts'
import { describeError } from './log.ts'
import { LogStream } from './log-stream.ts'
import type { Overrides } from './parts.ts'
import { inspectOwnFiles } from './rehearsal.ts'
import { loadAssets } from './respond/assets.ts'
import { securityHeaders } from './security.ts'
import { type Wired, wire } from './wire.ts'
import { wireCourier } from './wire-courier.ts'

/** Parts that take the place of those the configuration would choose. */
export interface ServerOverrides extends Overrides {
  /** Where the log goes; default: standard output. */
  readonly logStream?: { write(line: string): void }
}

const requestTimeoutMs = 30_000

/**
 * The standalone server, not yet listening: the module's routes, `/health` and `/ready`, and the demo
 * site where no users are configured.
 *
 * @throws {ForgotError} when a database, a template or a language cannot be used.
 */
export async function createServer(
  config: Config,
  { logStream, ...overrides }: ServerOverrides = {},
): Promise<FastifyInstance> {
  let forgot: Forgot | null = null
  const headers = securityHeaders(config)
  const app: FastifyInstance = fastify({
    logger: logger(config, logStream),
    trustProxy: config.server.trustProxy,
    // Fastify's own default is to wait for ever for the rest of a request.
    requestTimeout: requestTimeoutMs,
    // A URL that the router cannot read never reaches a route: its answer is a page of ours all the same.
    frameworkErrors: (_error, request, reply) => {
      reply.headers(headers)
      if (forgot !== null)
        void answerError(forgot, 'bad-request', request as FastifyRequest, reply as FastifyReply)
    },
    clientErrorHandler: (error, socket) => refuse(socket, error, headers),
  })
  letGoOfConnections(app)
  const wired = await wire(config, { log: app.log, ...overrides })
  if (config.server.trustProxy === false) warnOfProxy(app)
  const mounted = await mountForgot(app, wired)
  forgot = mounted
  app.setNotFoundHandler((request, reply) => answerError(mounted, 'not-found', request, reply))
  mountHealth(app, wired.health)
  if (config.users === null) mountDemo(app, wired)
  return app
}

function logger({ users, log }: Config, stream: { write(line: string): void } = new LogStream()) {
  return {
    stream,
    // The demo is looked at by a person: a line for each request would hide what it says.
    level: users === null && log.level === 'info' ? 'warn' : log.level,
    serializers: { req: describeRequest, err: describeError },
  }
}

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
 * Delivers mails until SIGTERM or SIGINT, for servers that do not: no pages, and `/health`, `/ready` and
 * `/metrics` only where a port is given for them.
 *
 * @throws {ForgotError} when a database, a template or a language cannot be used, or the port not opened.
 */
export async function serveCourier(config: Config, port: number | null): Promise<void> {
  const app: FastifyInstance = fastify({ logger: logger(config) })
  const { core, courier, health } = await wireCourier(config, { log: app.log })
  const notes = await inspectOwnFiles({ config, ...core }, loadAssets(config, core.templates))
  for (const note of notes) app.log.warn(note)
  mountHealth(app, health)
  app.addHook('onReady', async () => courier.start())
  app.addHook('onClose', () => courier.stop())
  if (port === null) await app.ready()
  else await listen(app, { host: config.server.host, port })
  stopOnSignals(app)
  void health.mail.warn(app.log)
}

async function listen(app: FastifyInstance, { host, port }: { host: string; port: number }) {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    await app.close()
    throw listenError(host, port, cause as NodeJS.ErrnoException)
  }
}

function stopOnSignals(app: FastifyInstance): void {
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

function stop(app: FastifyInstance, signal: string): void {
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

/**
 * Closes connections as soon as nothing is under way on any of them: browsers keep theirs open, some
 * without ever having said a word, and Node would wait for those until they do.
 */
function letGoOfConnections(app: FastifyInstance): void {
  let underway = 0
  app.server.on('request', (_request, response) => {
    underway += 1
    response.once('close', () => {
      underway -= 1
    })
  })
  app.addHook('preClose', async () => {
    const timer = setInterval(() => {
      if (underway === 0) app.server.closeAllConnections()
      else app.server.closeIdleConnections()
    }, 20)
    app.server.once('close', () => clearInterval(timer))
  })
}

function listenError(host: string, port: number, cause: NodeJS.ErrnoException): ForgotError {
  const why: Record<string, string> = {
    EADDRINUSE: 'another program is using it: stop that, or set server.port or FORGOT_SERVER__PORT',
    EACCES: 'this user may not open it: take a port above 1023',
    EADDRNOTAVAIL: 'this machine does not have that address: set server.host',
  }
  const reason = why[cause.code ?? ''] ?? cause.message
  return new ForgotError('ERR_FORGOT_LISTEN', `${host}:${port} cannot be listened on: ${reason}`, {
    cause,
  })
}

function mountDemo(app: FastifyInstance, { config, templates, assets }: Wired): void {
  const styles = [assets.style.path, assets.demo.path]
  const site = new DemoSite(config, templates, styles)
  app.addHook('onClose', async () => site.close())
  for (const [path, action] of site.pages()) mount(app, path, action)
}

/** Behind a proxy that is not declared, all visitors share one client's limit: the owner must know. */
function warnOfProxy(app: FastifyInstance): void {
  let isWarned = false
  app.addHook('onRequest', async (request: FastifyRequest) => {
    if (isWarned || request.headers['x-forwarded-for'] === undefined) return
    isWarned = true
    app.log.warn(
      'X-Forwarded-For arrives but is ignored: if a proxy of yours sets it, set server.trustProxy',
    )
  })
}

/** Answers what is not even HTTP, with the headers of every other answer. */
function refuse(
  socket: Socket,
  error: NodeJS.ErrnoException,
  headers: Readonly<Record<string, string>>,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 431
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 408
        : 400
  const body = `${STATUS_CODES[status]}\n`
  const lines = Object.entries({
    ...headers,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': String(body.length),
    'cache-control': 'no-store',
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
}
