import { z } from 'zod'
import type { Parsed, ResponseShape, Route, RouteAction } from './config.ts'
import { text } from './values.ts'

/** What `response` may name, and what each value is. */
const responseValues = {
  success: 'whether it was done',
  step: 'the step that was taken',
  message: 'what to tell the visitor, in their language',
  reference: 'the reference number, such as K7Q4-MZ8P',
  expiresAt: 'when the link or the code ends, in ISO 8601',
  expiresInMinutes: 'the same in minutes from now',
  email: 'the address: the typed one, and once it is proven that of the account',
  name: 'what the person is called, once the mailbox is proven theirs',
  token: 'what proves it from then on',
  changedAt: 'when the password was changed, in ISO 8601',
} as const

/** What a client may send, by the names that forms and bodies have for it. */
const fieldNames = [
  'email',
  'sealedEmail',
  'method',
  'code',
  'reference',
  'token',
  'password',
  'confirm',
  'lang',
] as const

const pathRule =
  'must be a path such as /user/forgot-password, or a method and a path such as POST /api/send-otp'

/** `/path`, or `POST /path`; `:name` stands for a part of it. */
export const routeKey: z.ZodString = z
  .string(pathRule)
  .regex(/^(?:(?:GET|POST|PUT|PATCH) +)?\/(?!\/)[^\s?#\\*]*$/, pathRule)

const nameRule = `must name one of ${Object.keys(responseValues).join(', ')}; other texts cannot be sent`

const shape: z.ZodType<ResponseShape> = z.lazy(() =>
  z.record(
    z.string(),
    z.union(
      [z.enum(Object.keys(responseValues), nameRule), z.number(), z.boolean(), z.null(), shape],
      nameRule,
    ),
  ),
)

/** A route that takes one step, with names of its own. */
export const route: z.ZodType<Exclude<Parsed['routes'][string], string>> = z.strictObject({
  action: z.literal('forgot', 'must be forgot').describe('Only forgot can be narrowed.'),
  step: z
    .enum(['request', 'verify', 'open', 'change'], 'must be request, verify, open or change')
    .nullable()
    .default(null)
    .describe('The one step it takes; null: whichever the data asks for.'),
  method: z
    .enum(['link', 'code'], 'must be link or code')
    .nullable()
    .default(null)
    .describe('Which of the two an answer tells the end of, where both are mailed.'),
  format: z
    .enum(['html', 'json'], 'must be html or json')
    .nullable()
    .default(null)
    .describe('null: what the client asks for.'),
  fields: z
    .partialRecord(z.enum(fieldNames), text('must be the name that clients use'))
    .transform((fields): Record<string, string> => Object.fromEntries(Object.entries(fields)))
    .prefault({})
    .describe('Our name of a field: the name that clients use.'),
  response: shape
    .nullable()
    .default(null)
    .describe('The body of a success: its names, and which of our values stands at each.'),
})

/** What may stand at a path alone. */
export const routeActions: readonly RouteAction[] = [
  'forgot',
  'well-known',
  '@itrocks/forgot-password',
  'fastify-forgot-password',
]

const defaultPath = '/user/forgot-password'
const writing = ['POST', 'PUT', 'PATCH']
const methodsOfStep = { request: writing, verify: writing, change: writing, open: ['GET'] }
// The standalone server's own.
const reserved = ['/health', '/ready']

/** What each configured route answers to; the pages get their usual path where they are given none. */
export function readRoutes(routes: Parsed['routes']): Route[] {
  const read = Object.entries(routes).map(([key, value]) => readRoute(key, value))
  return read.some(hasPages) ? read : [readRoute(defaultPath, 'forgot'), ...read]
}

/** What no server could answer, or would never do what it is meant to. */
export function routeFaults(
  routes: Parsed['routes'],
): readonly { readonly key: string; readonly rule: string }[] {
  const taken = new Map<string, string>()
  return Object.entries(routes).flatMap(([key, value]) => {
    const route = readRoute(key, value)
    const rules = [methodFault(route), formFault(route)]
    const path = route.path.replace(/:\w+/g, ':')
    if (reserved.includes(path)) rules.push('is a path of the server itself')
    for (const method of methodsOf(route)) {
      const other = taken.get(`${method} ${path}`)
      if (other !== undefined) rules.push(`answers what ${other} answers already`)
      taken.set(`${method} ${path}`, key)
    }
    const [rule = null] = rules.filter((each) => each !== null)
    return rule === null ? [] : [{ key, rule }]
  })
}

/** The methods that a route answers to. */
export function methodsOf({ methods }: Route): readonly string[] {
  return (methods ?? ['GET', 'POST']).flatMap((method) =>
    method === 'GET' ? ['GET', 'HEAD'] : [method],
  )
}

function methodFault({ step, methods, action }: Route): string | null {
  if (methods === null) return null
  if (step === null)
    return action === 'forgot' ? 'must have no method: the pages need GET and POST' : null
  const allowed = methodsOfStep[step]
  const isRight = methods.every((method) => allowed.includes(method))
  return isRight
    ? null
    : `must have the method ${allowed.join(', ')}: ${step} is not done with another`
}

/** Only programs have names of their own: the pages' forms have ours. */
function formFault({ step, format, fields, response }: Route): string | null {
  if (step !== null || format === 'json') return null
  if (Object.keys(fields).length === 0 && response === null) return null
  return 'must have a step, or format: json, since the pages have names of their own'
}

/** Whether it is the one route that pages and mails lead to. */
export function hasPages(route: Route): boolean {
  const { action, step, format, methods } = route
  const isWhole = action === 'forgot' && step === null && format !== 'json'
  return isWhole && methods === null && formFault(route) === null
}

function readRoute(key: string, value: Parsed['routes'][string]): Route {
  // A quote at an end is one that YAML left there, as in the @itrocks module's own file.
  const [, method, path = ''] = /^(?:(\w+) +)?(.*?)['"]?$/.exec(key) ?? []
  const rest = typeof value === 'string' ? plain(value) : value
  const usual = rest.step === null ? null : methodsOfStep[rest.step].slice(0, 1)
  return { path, methods: method === undefined ? usual : [method], ...rest }
}

function plain(action: RouteAction) {
  const named = action === 'well-known' ? action : 'forgot'
  return {
    action: named,
    step: null,
    method: null,
    format: null,
    fields: {},
    response: null,
  } as const
}
