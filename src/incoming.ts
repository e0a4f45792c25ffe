import type { Request } from './action.ts'
import type { Route } from './config/config.ts'

type Fields = Readonly<Record<string, unknown>>

/** What is read of a server's request; Fastify's fits it as it is. */
interface Incoming {
  readonly method: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly query: unknown
  readonly params: unknown
  readonly body: unknown
  readonly ip: string
  readonly routeOptions?: { readonly url?: string | undefined; readonly config?: unknown }
}

/** How a route that is configured for one thing reads its requests. */
export type Reading = Pick<Route, 'step' | 'method' | 'format' | 'fields'>

/** The fields each step reads; the first is always there, so that the step is taken for what is sent. */
const fieldsOf: Readonly<Record<NonNullable<Route['step']>, readonly string[]>> = {
  request: ['email', 'method', 'lang'],
  verify: ['code', 'reference', 'email', 'lang'],
  open: ['token', 'sealedEmail', 'lang'],
  change: ['password', 'confirm', 'token', 'sealedEmail', 'code', 'reference', 'email', 'lang'],
}

const openReading: Reading = { step: null, method: null, format: null, fields: {} }

/** A server's request as an action is called with it. */
export function toRequest(incoming: Incoming, reading: Reading = openReading): Request {
  const parameters = toFields(incoming.params)
  const isRead = ['GET', 'HEAD'].includes(incoming.method)
  return {
    format: formatOf(incoming, reading.format),
    request: {
      // PUT and PATCH change something, like a form that is posted.
      method: isRead ? incoming.method : 'POST',
      path: incoming.routeOptions?.url ?? '',
      headers: incoming.headers,
      parameters,
      data: readData(incoming, isRead, parameters, reading),
      raw: { ip: incoming.ip },
    },
  }
}

/** `json` for a route or a body of it, or a client that likes it better than HTML (RFC 9110 §12.5.1). */
function formatOf(
  { headers }: Pick<Incoming, 'headers'>,
  format: Route['format'] = null,
): 'html' | 'json' {
  if (format !== null) return format
  if (/^\s*application\/json/i.test(text(headers['content-type']))) return 'json'
  const accept = text(headers['accept'])
  return quality(accept, 'application/json') > quality(accept, 'text/html') ? 'json' : 'html'
}

/** A request as it may be logged: a query or an unknown path can hold a token. */
export function describeRequest({ method, routeOptions, ip }: Incoming): Record<string, unknown> {
  return { method, route: routeOptions?.url ?? 'unknown', ip }
}

function readData(
  incoming: Incoming,
  isRead: boolean,
  parameters: Fields,
  { step, method, fields }: Reading,
): Fields {
  const query = toFields(incoming.query)
  // What a link says must never count as what a form was sent with.
  const sent = isRead ? query : { ...pick(query, ['lang']), ...toFields(incoming.body) }
  const named = rename({ ...sent, ...parameters }, fields)
  if (step === null) return named
  const [first = '', ...others] = fieldsOf[step]
  const narrowed = { [first]: '', ...pick(named, [first, ...others]) }
  return method === null ? narrowed : { ...narrowed, method }
}

/** Our names for what was sent under a client's: a field that has another name there is not read by ours. */
function rename(sent: Fields, names: Readonly<Record<string, string>>): Fields {
  const ours = Object.entries(names)
  if (ours.length === 0) return sent
  const renamed = ours.flatMap(([our, theirs]) =>
    Object.hasOwn(sent, theirs) ? [[our, sent[theirs]] as const] : [],
  )
  const taken = new Set(ours.flat())
  const rest = Object.entries(sent).filter(([name]) => !taken.has(name))
  return Object.fromEntries([...rest, ...renamed])
}

function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(fields, name)).map((name) => [name, fields[name]]),
  )
}

function toFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function text(value: string | string[] | undefined): string {
  return typeof value === 'string' ? value : ''
}

/** How much a client likes a media type that it names; 0 when it does not name it. */
function quality(accept: string, type: string): number {
  for (const part of accept.slice(0, 1000).toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((each) => each.trim())
    if (name !== type) continue
    const weight = parameters.find((each) => each.startsWith('q='))
    return weight === undefined ? 1 : Number(weight.slice(2)) || 0
  }
  return 0
}
