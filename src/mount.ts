import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Action, Response } from './action.ts'
import { describeRequest, toRequest } from './incoming.ts'
import { describeError } from './log.ts'
import { type Asset, longCache } from './respond/assets.ts'

/** Enough for a password of 1024 characters of four bytes, each percent-encoded. */
export const bodyLimitBytes = 16_384

/** How a route's requests and errors may be logged. */
export const logSerializers: {
  readonly req: typeof describeRequest
  readonly err: typeof describeError
} = { req: describeRequest, err: describeError }

/** For routes that need no sign-in: a host's authentication hook reads it as `request.routeOptions.config.access`. */
export const freeRoute: {
  readonly config: { readonly access: 'free' }
  readonly logSerializers: typeof logSerializers
} = { config: { access: 'free' }, logSerializers }

/** Puts an action at a path: GET and POST are its own, everything else is refused there. */
export function mount(app: FastifyInstance, path: string, action: Pick<Action, 'html'>): void {
  app.route({
    method: ['GET', 'HEAD', 'POST'],
    url: path,
    bodyLimit: bodyLimitBytes,
    ...freeRoute,
    handler: async (request, reply) => send(reply, await action.html(toRequest(request))),
  })
}

/** Serves files under their own paths. */
export function mountAssets(app: FastifyInstance, assets: readonly Asset[]): void {
  for (const { path, type, body } of assets) {
    app.get(path, freeRoute, async (_, reply) =>
      reply.type(type).header('cache-control', longCache).send(body),
    )
  }
}

/** Sends what an action has answered. */
export function send(reply: FastifyReply, response: Response): FastifyReply {
  return reply.code(response.statusCode).headers(response.headers).send(response.body)
}
