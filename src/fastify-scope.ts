import formbody from '@fastify/formbody'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Request } from './action.ts'
import { checkQuery, parseForm, parseJson } from './body.ts'
import type { Config } from './config/config.ts'
import type { Forgot } from './forgot.ts'
import { type Reading, toRequest } from './incoming.ts'
import { bodyLimitBytes, send } from './mount.ts'
import { securityHeaders } from './security.ts'
import type { ErrorReason } from './steps/outcome.ts'

/** Its own parser, so that a host's neither widens nor breaks what the module reads. */
export function prepareScope(app: FastifyInstance, config: Config): void {
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

/** A request as its route reads it. */
export function readRequest(request: FastifyRequest): Request {
  const { reading } = (request.routeOptions?.config ?? {}) as { reading?: Reading }
  return toRequest(request, reading)
}

const reasonOfStatus: Readonly<Record<number, ErrorReason>> = {
  413: 'too-large',
  415: 'unsupported-type',
}

/** Answers what a parser has refused, or what has failed. */
export async function answerFault(
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

/** Answers like the module, for requests that no action has. */
export async function answerError(
  forgot: Forgot,
  reason: ErrorReason,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  return send(reply, await forgot.refuse(reason, readRequest(request)))
}
