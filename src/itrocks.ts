import { Action, field, type Headers, type JsonAction, type Request, Response } from './action.ts'
import type { ConfigInput } from './config/config.ts'
import { loadConfig } from './config/load.ts'
import { lineLog } from './log.ts'
import { type Asset, type Assets, longCache } from './respond/assets.ts'
import { securityHeaders } from './security.ts'
import type { User } from './user.ts'
import { type Wired, wire } from './wire.ts'

interface Started {
  readonly wired: Wired
  readonly forgot: JsonAction
  readonly headers: Headers
}

// A router makes an action for every request: what it stands on is made once for each configuration.
const started = new Map<string | ConfigInput, Promise<Started>>()

/**
 * Account recovery for a router that knows actions and not Fastify, such as that of @itrocks: it makes
 * one without arguments and calls the method that is named like the request's format.
 *
 * ```ts
 * import { Forgot, type Request } from 'fastify-forgot-password'
 *
 * export async function answer(request: Request): Promise<void> {
 *   const { body, headers, statusCode } = await new Forgot('./config.yaml').html(request)
 *   console.log(statusCode, headers, body)
 * }
 * ```
 */
export class Forgot<T extends User = User> extends Action<T> {
  readonly #config: string | ConfigInput

  /** @param config A `config.yaml`, or its values; default: `./config.yaml`. */
  constructor(config: string | ConfigInput = 'config.yaml') {
    super()
    this.#config = config
  }

  /** @throws {ForgotError} when the configuration, or what it names, cannot be used. */
  async html(request: Request<T> | Request): Promise<Response> {
    const { wired, headers, forgot } = await this.#start()
    const read = normalized(request)
    const asset = findAsset(field(read.request, 'asset'), wired.assets)
    if (asset !== null)
      return new Response(Buffer.from(asset.body), 200, assetHeaders(asset, headers))
    return withHeaders(await forgot.html(read), headers)
  }

  /** @throws {ForgotError} when the configuration, or what it names, cannot be used. */
  async json(request: Request<T> | Request): Promise<Response> {
    const { headers, forgot } = await this.#start()
    return withHeaders(await forgot.json(normalized(request)), headers)
  }

  /** Finishes the mails that are on their way, and lets go of everything. */
  async close(): Promise<void> {
    const running = started.get(this.#config)
    started.delete(this.#config)
    await (await running)?.wired.close()
  }

  #start(): Promise<Started> {
    const known = started.get(this.#config)
    if (known !== undefined) return known
    const starting = start(this.#config)
    started.set(this.#config, starting)
    // What could not start is tried again when it is asked for again.
    starting.catch(() => started.delete(this.#config))
    return starting
  }
}

async function start(from: string | ConfigInput): Promise<Started> {
  const config = loadConfig(from)
  // Such a router has one path for all of it: the style sheet is asked for there too.
  const wired = await wire(config, {
    log: lineLog,
    assetPath: (name) => `${config.route}?asset=${name}`,
  })
  wired.start()
  return { wired, forgot: wired.forgot(), headers: securityHeaders(config) }
}

/** What a router may leave out, or spell in its own way. */
function normalized({ request, ...rest }: Request): Request {
  const headers = Object.entries(request.headers ?? {}).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  )
  const isRead = /^(?:get|head)$/i.test(request.method)
  return {
    ...rest,
    request: {
      ...request,
      method: isRead ? request.method.toUpperCase() : 'POST',
      headers: Object.fromEntries(headers),
      data: request.data ?? {},
    },
  }
}

function findAsset(name: string, { style, script, logo }: Assets): Asset | null {
  if (name === '') return null
  const all = logo === null ? [style, script] : [style, script, logo]
  return all.find((asset) => asset.path.endsWith(`?asset=${name}`)) ?? null
}

function assetHeaders({ type }: Asset, headers: Headers): Headers {
  return { ...headers, 'content-type': type, 'cache-control': longCache }
}

function withHeaders(response: Response, headers: Headers): Response {
  return new Response(response.body, response.statusCode, { ...headers, ...response.headers })
}
