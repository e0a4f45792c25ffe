/** The part of a server's request that an action reads; `@itrocks/request-response` fits it as it is. */
export interface ServerRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Values from the path, such as `:token`. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** The query of a GET, the body of a POST: hostile until {@link field} has read it. */
  readonly data: Readonly<Record<string, unknown>>
  /** The server's own request; only the client's address is read from it. */
  readonly raw?: { readonly ip?: string } | undefined
}

/** What an action is called with; `format` names the method that answers. */
export interface Request<T extends object = object> {
  readonly format: string
  readonly request: ServerRequest
  readonly type?: new () => T
}

/** By their names in small letters; a list is a header that is sent more than once. */
export type Headers = Record<string, string | string[]>

/** What an action answers, whatever the server. */
export class Response {
  readonly body: string | Uint8Array
  readonly statusCode: number
  readonly headers: Headers

  constructor(body: string | Uint8Array = '', statusCode = 200, headers: Headers = {}) {
    this.body = body
    this.statusCode = statusCode
    this.headers = headers
  }
}

/** A page. */
export class HtmlResponse extends Response {
  constructor(body: string | Uint8Array = '', statusCode = 200, headers: Headers = {}) {
    super(body, statusCode, { 'content-type': 'text/html; charset=utf-8', ...headers })
  }
}

/** Data for a program. */
export class JsonResponse extends Response {
  constructor(data: object, statusCode = 200, headers: Headers = {}) {
    super(JSON.stringify(data), statusCode, {
      'content-type': 'application/json; charset=utf-8',
      ...headers,
    })
  }
}

/**
 * A thing a visitor can do at one address: the request's format names the method that answers.
 *
 * ```ts
 * import { Action, HtmlResponse, JsonResponse, type Response } from 'fastify-forgot-password'
 *
 * export class Greet extends Action {
 *   html = async (): Promise<Response> => new HtmlResponse('<h1>Hello</h1>')
 *   json = async (): Promise<Response> => new JsonResponse({ hello: true })
 * }
 * ```
 */
export abstract class Action<T extends object = object> {
  abstract html(request: Request<T>): Promise<Response>
}

/** One that answers programs as well. */
export interface JsonAction extends Action {
  json(request: Request): Promise<Response>
}

/**
 * The text sent under this name, or `''` when it is absent, repeated or not text: a list or an object
 * where one value belongs is never guessed at (ASVS 15.3.5, 15.3.7).
 */
export function field(request: ServerRequest, name: string): string {
  const value = Object.hasOwn(request.data, name) ? request.data[name] : ''
  return typeof value === 'string' ? value : ''
}

/** Whether the form or query has this name at all, whatever its value. */
export function has(request: ServerRequest, name: string): boolean {
  return Object.hasOwn(request.data, name)
}

/** One header's value, or `''`; a repeated header counts as absent. */
export function header(request: ServerRequest, name: string): string {
  const value = request.headers[name]
  return typeof value === 'string' ? value : ''
}
