import { parse } from 'node:querystring'
import formbody from '@fastify/formbody'
import view from '@fastify/view'
import type {
  FastifyError,
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
} from 'fastify'
import type { Action, Request, Response } from './action.ts'
import type { Config, ConfigInput } from './config/config.ts'
import { loadConfig } from './config/load.ts'
import { MailboxPages } from './demo/mailbox.ts'
import { ForgotError } from './errors.ts'
import type { Forgot } from './forgot.ts'
import { describeError } from './log.ts'
import type { Mailbox } from './mail/mailbox.ts'
import type { Asset } from './respond/assets.ts'
import type { Render } from './respond/html.ts'
import { securityHeaders } from './security.ts'
import type { ErrorReason } from './steps/outcome.ts'
import { builtInTemplates } from './templates.ts'
import type { Users } from './users/users.ts'
import { type Wired, wire } from './wire.ts'

/** What the plugin is registered with. */
export interface ForgotPasswordOptions {
  /** A `config.yaml`, or its values; default: `./config.yaml` where there is one. */
  readonly config?: string | ConfigInput
  /** The site's accounts, where they are not in a table that the configuration can name. */
  readonly users?: Users
}

// Enough for a password of 1024 characters of four bytes, each percent-encoded.
const bodyLimitBytes = 16_384
const viewName = 'forgotPasswordView'

const forgotPassword: FastifyPluginAsync<ForgotPasswordOptions> = async (app, options) => {
  if (app.prefix !== '') {
    const message = `register without the prefix ${app.prefix}: the paths are those of routes in the configuration`
    throw new ForgotError('ERR_FORGOT_CONFIG', message)
  }
  const { config: from = 'config.yaml', users } = options
  const config = loadConfig(from, { hasUsers: users !== undefined })
  await mountForgot(app, await wire(config, { log: app.log, ...(users ? { users } : {}) }))
}

// Without fastify-plugin, so that parsers, hooks and error pages stay in a scope of their own.
Object.assign(forgotPassword, {
  [Symbol.for('plugin-meta')]: { name: 'fastify-forgot-password', fastify: '5.x' },
})

export { forgotPassword }

/**
 * Puts every route of the module into `app`, whose parsers and error pages become the module's, and starts
 * and stops with it.
 */
export async function mountForgot(app: FastifyInstance, wired: Wired): Promise<Forgot> {
  const { assets, config, mailbox, templates } = wired
  app.addHook('onReady', async () => wired.start())
  app.addHook('onClose', () => wired.close())
  prepareScope(app, config)
  await app.register(view, {
    engine: { eta: templates },
    root: builtInTemplates,
    production: true,
    propertyName: viewName,
    asyncPropertyName: `${viewName}Async`,
  })
  const forgot = wired.forgot(app.getDecorator<Render>(viewName))
  app.setErrorHandler((error: FastifyError, request, reply) =>
    onError(forgot, error, request, reply),
  )
  for (const [path, action] of Object.entries(config.routes)) {
    if (action === 'forgot') mountAction(app, config, path, forgot)
    else mountWellKnown(app, config, path)
  }
  mountAssets(app, [assets.style, assets.script, ...(assets.logo === null ? [] : [assets.logo])])
  if (mailbox !== null) mountMailbox(app, wired, mailbox)
  return forgot
}

/** Puts an action at a path: GET and POST are its own, everything else is refused there. */
export function mount(app: FastifyInstance, config: Config, path: string, action: Action): void {
  app.route({
    method: ['GET', 'HEAD', 'POST'],
    url: path,
    bodyLimit: bodyLimitBytes,
    ...routeOptions(config, path),
    handler: async (request, reply) => send(reply, await action.html(toRequest(request))),
  })
}

/** Answers like a page of the module, for requests that no action has. */
export async function answerError(
  forgot: Forgot,
  reason: ErrorReason,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  return send(reply, await forgot.refuse(reason, toRequest(request)))
}

function mountAction(app: FastifyInstance, config: Config, path: string, forgot: Forgot): void {
  mount(app, config, path, forgot)
  app.route({
    method: app.supportedMethods.filter((method) => !['GET', 'HEAD', 'POST'].includes(method)),
    url: path,
    ...routeOptions(config, path),
    handler: async (request, reply) =>
      answerError(forgot, 'method-not-allowed', request, reply.header('allow', 'GET, HEAD, POST')),
  })
}

/** W3C change-password-url: not the page itself, but the way to it. */
function mountWellKnown(app: FastifyInstance, config: Config, path: string): void {
  app.get(path, freeRoute, async (_, reply) => reply.redirect(config.route, 302))
}

function mountMailbox(app: FastifyInstance, wired: Wired, mailbox: Mailbox): void {
  const { config, templates, assets } = wired
  mountAssets(app, [assets.demo])
  const styles = [assets.style.path, assets.demo.path]
  mount(app, config, '/dev/mailbox', new MailboxPages(mailbox, templates, styles))
}

function mountAssets(app: FastifyInstance, assets: readonly Asset[]): void {
  for (const { path, type, body } of assets) {
    app.get(path, freeRoute, async (_, reply) =>
      reply.type(type).header('cache-control', 'public, max-age=31536000, immutable').send(body),
    )
  }
}

/** Its own parser, so that a host's neither widens nor breaks what the module reads. */
function prepareScope(app: FastifyInstance, config: Config): void {
  app.removeAllContentTypeParsers()
  app.register(formbody, { bodyLimit: bodyLimitBytes, parser: parseForm })
  const headers = securityHeaders(config)
  app.addHook('onRequest', async (_, reply) => {
    reply.headers(headers)
  })
}

/**
 * A form's fields. Broken percent-encoding is refused: kept as it came, a password would be set to
 * something that its owner never typed.
 *
 * @throws {FastifyError} 400 for an escape that is not UTF-8.
 */
function parseForm(body: string): Record<string, unknown> {
  try {
    decodeURIComponent(body)
  } catch {
    throw Object.assign(new Error('The form is not UTF-8'), { statusCode: 400 })
  }
  return { ...parse(body) }
}

const logSerializers = { req: describeRequest, err: describeError }

// A host's authentication hook reads it as `request.routeOptions.config.access`.
const freeRoute = { config: { access: 'free' }, logSerializers }

function routeOptions({ access }: Config, path: string) {
  return access.free.includes(path) ? freeRoute : { config: { access: 'any' }, logSerializers }
}

/** A request as it may be logged: a query or an unknown path can hold a token. */
export function describeRequest(request: FastifyRequest): Record<string, unknown> {
  return { method: request.method, route: request.routeOptions?.url ?? 'unknown', ip: request.ip }
}

export function toRequest(request: FastifyRequest): Request {
  // A URL that the router could not read has none.
  const query = (request.query ?? {}) as Record<string, unknown>
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const body = request.body as Record<string, unknown> | null | undefined
  return {
    format: 'html',
    request: {
      method: request.method,
      path: request.routeOptions?.url ?? '',
      headers: request.headers,
      parameters: (request.params ?? {}) as Record<string, unknown>,
      // What a link says must never count as what a form was sent with.
      data: isRead
        ? query
        : { ...(Object.hasOwn(query, 'lang') ? { lang: query['lang'] } : {}), ...body },
      raw: { ip: request.ip },
    },
  }
}

function send(reply: FastifyReply, response: Response): FastifyReply {
  return reply.code(response.statusCode).headers(response.headers).send(response.body)
}

const reasonOfStatus: Readonly<Record<number, ErrorReason>> = {
  413: 'too-large',
  415: 'unsupported-type',
}

async function onError(
  forgot: Forgot,
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const status = error.statusCode ?? 500
  const reason = status < 500 ? (reasonOfStatus[status] ?? 'bad-request') : null
  if (reason !== null) return answerError(forgot, reason, request, reply)
  return send(reply, await forgot.fail(error, toRequest(request)))
}
