import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { Config } from './config/config.ts'
import { mountForgot } from './fastify.ts'
import { answerError, prepareScope } from './fastify-scope.ts'
import type { Forgot } from './forgot.ts'
import { mountHealth } from './health.ts'
import { describeRequest } from './incoming.ts'
import { describeError } from './log.ts'
import { LogStream } from './log-stream.ts'
import { mount } from './mount.ts'
import { isLoopback } from './network.ts'
import type { Overrides } from './parts.ts'
import { previewPath } from './preview/choice.ts'
import type { PreviewParts } from './preview/preview.ts'
import { securityHeaders } from './security.ts'
import { type Wired, wire } from './wire.ts'

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
  if (config.users === null) await mountDemo(app, wired)
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

/** A server that may be told to listen. */
export type Server = FastifyInstance

/** A server without pages, whose log and end are those of every other. */
export function createBareServer(config: Config): FastifyInstance {
  return fastify({ logger: logger(config) })
}

/** A server that has the preview alone: no database, no users, no courier. */
export async function createPreviewServer(
  config: Config,
  parts: PreviewParts,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: { ...logger(config), level: 'warn' },
    requestTimeout: requestTimeoutMs,
  })
  letGoOfConnections(app)
  prepareScope(app, config)
  const { mountPreview } = await import('./preview/mount.ts')
  mountPreview(app, parts)
  app.get('/', async (_, reply) => reply.redirect(previewPath, 302))
  return app
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

async function mountDemo(
  app: FastifyInstance,
  { config, templates, assets }: Wired,
): Promise<void> {
  const [{ DemoSite }, { mountSitePreview }] = await Promise.all([
    import('./demo/site.ts'),
    import('./dev.ts'),
  ])
  const styles = [assets.style.path, assets.demo.path]
  const isHere = isLoopback(new URL(config.site.url).hostname)
  const links = [
    ...(config.hasMailbox ? [['Mailbox of this demo', '/dev/mailbox'] as const] : []),
    ...(isHere ? [['Preview of every page', '/dev/preview'] as const] : []),
  ]
  const site = new DemoSite(config, templates, styles, links)
  app.addHook('onClose', async () => site.close())
  for (const [path, action] of site.pages()) mount(app, path, action)
  if (isHere && !config.preview.enabled) mountSitePreview(app, config)
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
