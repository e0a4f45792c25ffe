import formbody from '@fastify/formbody'
import view from '@fastify/view'
import type {
  FastifyError,
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
} from 'fastify'
import type { Action, JsonAction, Request, Response } from './action.ts'
import { checkQuery, parseForm, parseJson } from './body.ts'
import type { Config, ConfigInput, Route } from './config/config.ts'
import { loadConfig } from './config/load.ts'
import { methodsOf } from './config/routes.ts'
import { MailboxPages } from './demo/mailbox.ts'
import { ForgotError } from './errors.ts'
import type { Forgot } from './forgot.ts'
import { describeRequest, type Reading, toRequest } from './incoming.ts'
import { describeError } from './log.ts'
import type { Mailbox } from './mail/mailbox.ts'
import { type Asset, longCache } from './respond/assets.ts'
import type { Render } from './respond/html.ts'
import { securityHeaders } from './security.ts'
import type { ErrorReason } from './steps/outcome.ts'
import { builtInTemplates } from './templates.ts'
import type { Hooks } from './trail.ts'
import type { Users } from './users/users.ts'
import { type Wired, wire } from './wire.ts'

/** What the plugin is registered with. */
export interface ForgotPasswordOptions {
  /** A `config.yaml`, or its values; default: `./config.yaml`. */
  readonly config?: string | ConfigInput
  /** The site's accounts, where they are not in a table that the configuration can name. */
  readonly users?: Users
  /** Called with what happens, after it has: `onRequested`, `onSent`, `onChanged` and so on. */
  readonly hooks?: Hooks
  /** `false` where `forgot-password courier` delivers the mails; default: `true`. */
  readonly courier?: boolean
}

// Enough for a password of 1024 characters of four bytes, each percent-encoded.
const bodyLimitBytes = 16_384
const viewName = 'forgotPasswordView'

const forgotPassword: FastifyPluginAsync<ForgotPasswordOptions> = async (app, options) => {
  if (app.prefix !== '') {
    const message = `register without the prefix ${app.prefix}: the paths are those of routes in the configuration`
    throw new ForgotError('ERR_FORGOT_CONFIG', message)
  }
  const { config: from = 'config.yaml', users, hooks = {}, courier: isDelivering = true } = options
  const config = loadConfig(from, { hasUsers: users !== undefined })
  const overrides = { log: app.log, hooks, isDelivering, ...(users ? { users } : {}) }
  await mountForgot(app, await wire(config, overrides))
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
  const render = app.getDecorator<Render>(viewName)
  const forgot = wired.forgot({ render })
  app.setErrorHandler((error: FastifyError, request, reply) =>
    onError(forgot, error, request, reply),
  )
  for (const { action, path } of config.routes) {
    if (action === 'well-known') mountWellKnown(app, config, path)
  }
  const routes = config.routes.filter(({ action }) => action === 'forgot')
  for (const route of routes) {
    mountAction(app, config, route, wired.forgot({ render, shape: route.response }))
  }
  refuseOthers(app, routes, forgot)
  mountAssets(app, [assets.style, assets.script, ...(assets.logo === null ? [] : [assets.logo])])
  if (mailbox !== null) mountMailbox(app, wired, mailbox)
  return forgot
}

/** Puts an action at a path: GET and POST are its own, everything else is refused there. */
export function mount(app: FastifyInstance, path: string, action: Action): void {
  app.route({
    method: ['GET', 'HEAD', 'POST'],
    url: path,
    bodyLimit: bodyLimitBytes,
    ...freeRoute,
    handler: async (request, reply) => send(reply, await action.html(toRequest(request))),
  })
}

/** Answers like the module, for requests that no action has. */
export async function answerError(
  forgot: Forgot,
  reason: ErrorReason,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  return send(reply, await forgot.refuse(reason, readRequest(request)))
}

/** Answers the methods that no route takes at its path. */
function refuseOthers(app: FastifyInstance, routes: readonly Route[], forgot: Forgot): void {
  for (const path of new Set(routes.map((route) => route.path))) {
    const allowed = routes.filter((each) => each.path === path).flatMap(methodsOf)
    app.route({
      method: app.supportedMethods.filter((method) => !allowed.includes(method)),
      url: path,
      ...freeRoute,
      handler: async (request, reply) =>
        answerError(
          forgot,
          'method-not-allowed',
          request,
          reply.header('allow', allowed.join(', ')),
        ),
    })
  }
}

function mountAction(app: FastifyInstance, config: Config, route: Route, action: JsonAction): void {
  const isListed = config.access.free.includes(route.path)
  const { logSerializers } = freeRoute
  app.route({
    method: [...methodsOf(route)],
    url: route.path,
    bodyLimit: bodyLimitBytes,
    // What a narrowed route takes is a proof of its own: there is nobody signed in who could be asked.
    config: { access: isListed || route.step !== null ? 'free' : 'any', reading: route },
    logSerializers,
    handler: async (request, reply) => {
      const read = readRequest(request)
      return send(reply, await (read.format === 'json' ? action.json(read) : action.html(read)))
    },
  })
}

/** W3C change-password-url: not the page itself, but the way to it. */
function mountWellKnown(app: FastifyInstance, config: Config, path: string): void {
  app.get(path, freeRoute, async (_, reply) => reply.redirect(config.route, 302))
}

function mountMailbox(app: FastifyInstance, { assets, templates }: Wired, mailbox: Mailbox): void {
  mountAssets(app, [assets.demo])
  const styles = [assets.style.path, assets.demo.path]
  mount(app, '/dev/mailbox', new MailboxPages(mailbox, templates, styles))
}

function mountAssets(app: FastifyInstance, assets: readonly Asset[]): void {
  for (const { path, type, body } of assets) {
    app.get(path, freeRoute, async (_, reply) =>
      reply.type(type).header('cache-control', longCache).send(body),
    )
  }
}

/** Its own parser, so that a host's neither widens nor breaks what the module reads. */
function prepareScope(app: FastifyInstance, config: Config): void {
  app.removeAllContentTypeParsers()
  app.register(formbody, { bodyLimit: bodyLimitBytes, parser: parseForm })
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: bodyLimitBytes },
    async (_: FastifyRequest, body: Buffer) => parseJson(body),
  )
  const headers = securityHeaders(config)
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers)
    checkQuery(request.url)
  })
}

const logSerializers = { req: describeRequest, err: describeError }

// A host's authentication hook reads it as `request.routeOptions.config.access`.
const freeRoute = { config: { access: 'free' }, logSerializers }

/** A request as its route reads it. */
function readRequest(request: FastifyRequest): Request {
  const { reading } = (request.routeOptions?.config ?? {}) as { reading?: Reading }
  return toRequest(request, reading)
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
  return send(reply, await forgot.fail(error, readRequest(request)))
}
