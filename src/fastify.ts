import view from '@fastify/view'
import type { FastifyError, FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { JsonAction } from './action.ts'
import type { Config, ConfigInput, Route } from './config/config.ts'
import { loadConfig } from './config/load.ts'
import { methodsOf } from './config/routes.ts'
import { ForgotError } from './errors.ts'
import { answerError, answerFault, prepareScope, readRequest } from './fastify-scope.ts'
import type { Forgot } from './forgot.ts'
import { type InstanceView, instancePath, isOwner, proofHeader } from './instance.ts'
import { type Layout, within } from './layout.ts'
import { bodyLimitBytes, freeRoute, logSerializers, mountAssets, send } from './mount.ts'
import type { Render } from './respond/html.ts'
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
  /**
   * Puts each page into one of the site's own; or `false` for the fragment alone. Default: as `theme.layout` has it.
   * The page is sent with the module's security headers: styles, scripts and images of its own origin only.
   */
  readonly layout?: Layout | false
  /** `false` where `forgot-password courier` delivers the mails; default: `true`. */
  readonly courier?: boolean
}

const viewName = 'forgotPasswordView'

/**
 * The plugin: account recovery inside a Fastify site, at the paths that its configuration names.
 *
 * ```ts
 * import { fastify } from 'fastify'
 * import { forgotPassword } from 'fastify-forgot-password'
 *
 * const app = fastify()
 * await app.register(forgotPassword, {
 *   config: './config.yaml',
 *   hooks: { onChanged: ({ userId }) => console.log(`${userId} has a new password`) },
 * })
 * await app.listen({ port: 3000 })
 * ```
 *
 * @throws {ForgotError} when the configuration, or what it names, cannot be used.
 */
const forgotPassword: FastifyPluginAsync<ForgotPasswordOptions> = async (app, options) => {
  if (app.prefix !== '') {
    const message = `register without the prefix ${app.prefix}: the paths are those of routes in the configuration`
    throw new ForgotError('ERR_FORGOT_CONFIG', message)
  }
  const { config: from = 'config.yaml', users, hooks = {}, courier: isDelivering = true } = options
  const loaded = loadConfig(from, { hasUsers: users !== undefined })
  const { layout } = options
  const theme = { ...loaded.theme, layout: layout === undefined && loaded.theme.layout }
  const overrides = { log: app.log, hooks, isDelivering, ...(users ? { users } : {}) }
  await mountForgot(app, await wire({ ...loaded, theme }, overrides), layout || null)
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
export async function mountForgot(
  app: FastifyInstance,
  wired: Wired,
  layout: Layout | null = null,
): Promise<Forgot> {
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
  const plain = app.getDecorator<Render>(viewName)
  const render: Render = layout === null ? plain : within(layout, plain)
  // A page of the site's own may tell more than ours.
  const pages = { render, keepsPages: layout === null }
  const forgot = wired.forgot(pages)
  app.setErrorHandler((error: FastifyError, request, reply) =>
    answerFault(forgot, error, request, reply),
  )
  for (const { action, path } of config.routes) {
    if (action === 'well-known') mountWellKnown(app, config, path)
  }
  const routes = config.routes.filter(({ action }) => action === 'forgot')
  for (const route of routes) {
    mountAction(app, config, route, wired.forgot({ ...pages, shape: route.response }))
  }
  refuseOthers(app, routes, forgot)
  mountAssets(app, [assets.style, assets.script, ...(assets.logo === null ? [] : [assets.logo])])
  mountInstance(app, wired, forgot)
  if (mailbox !== null || config.preview.enabled) {
    const { mountMailbox, mountSitePreview } = await import('./dev.ts')
    if (mailbox !== null) mountMailbox(app, wired, mailbox)
    if (config.preview.enabled) mountSitePreview(app, config)
  }
  return forgot
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

/** Tells its owner how requests reach it, for `forgot-password doctor`; for anybody else there is no such page. */
function mountInstance(app: FastifyInstance, { config, services }: Wired, forgot: Forgot): void {
  const { clock, keys } = services
  app.get(`${config.route}${instancePath}`, freeRoute, async (request, reply) => {
    const { headers, ip, socket } = request
    if (!isOwner(keys, clock, String(headers[proofHeader] ?? ''))) {
      return answerError(forgot, 'not-found', request, reply)
    }
    const forwardedFor = String(headers['x-forwarded-for'] ?? '')
    const peer = socket.remoteAddress ?? ''
    const view: InstanceView = { now: clock.now(), client: ip, peer, forwardedFor }
    return reply.header('cache-control', 'no-store').send(view)
  })
}
