import { field, JsonResponse } from '../action.ts'
import type { ResponseShape } from '../config/config.ts'
import type { Locale } from '../locale/locale.ts'
import { showReference } from '../proof/reference.ts'
import type { Services } from '../services.ts'
import { type Facts, failure, type Outcome, type Redirect, statusOf } from '../steps/outcome.ts'
import type { Visit } from '../steps/visit.ts'
import { errorText, showProblems } from './view.ts'

type Shown = Exclude<Outcome, Redirect>
/** What a program can be told of a success, by the names that `response` in a configuration may use. */
type Values = Readonly<Record<string, string | number | boolean>>

interface JsonBodiesParts {
  readonly services: Pick<Services, 'config' | 'clock'>
  /** The body of a success, where the site has names of its own; else `null`. */
  readonly shape: ResponseShape | null
}

/** Turns what a step decided into what a program is sent: no cookie, and nothing that HTML would not say. */
export class JsonBodies {
  readonly #parts: JsonBodiesParts

  constructor(parts: JsonBodiesParts) {
    this.#parts = parts
  }

  async respond(outcome: Outcome, visit: Visit): Promise<JsonResponse> {
    const headers = { 'cache-control': 'no-store', 'content-language': visit.locale.tag }
    if (outcome.page === 'redirect' && outcome.step !== 'form') {
      return this.#success(outcome, visit, headers)
    }
    // A browser is sent back to the form; a program is told that it has sent nothing of use.
    const shown = outcome.page === 'redirect' ? failure('bad-request') : outcome
    const status = statusOf(shown)
    if (status < 400) {
      const { page: step } = shown
      const message = visit.locale.text(`${step}.title`)
      return new JsonResponse({ success: true, step, message, data: {} }, status, headers)
    }
    const wait = 'retryAfterMs' in shown ? shown.retryAfterMs : undefined
    const retry = wait === undefined ? {} : { 'retry-after': String(Math.ceil(wait / 1000)) }
    const body = failureBody(shown, visit.locale, this.#parts.services.config.recovery.linkLifetime)
    return new JsonResponse(body, status, { ...headers, ...retry })
  }

  #success(redirect: Redirect, visit: Visit, headers: Record<string, string>): JsonResponse {
    const { shape } = this.#parts
    const { step } = redirect
    const values = this.#values(redirect, visit)
    // Accepted, not done: whether a mail goes out is decided later (RFC 9110 §15.3.3).
    const status = step === 'sent' ? 202 : 200
    return new JsonResponse(fill(shape ?? usualShapes[step], values), status, headers)
  }

  #values({ step, flow, facts }: Redirect, visit: Visit): Values {
    const { config } = this.#parts.services
    const email = facts?.email ?? flow?.email ?? ''
    const message = visit.locale.text(messages[step], { email, site: config.site.name })
    const reference = flow?.reference ? { reference: showReference(flow.reference) } : {}
    const common = { success: true, step, message, email, ...reference, ...factValues(facts) }
    if (flow === undefined || step === 'done' || step === 'revoked') return common
    const { methods } = config.recovery
    const isCode =
      step === 'sent' &&
      methods.includes('code') &&
      (field(visit.request, 'method') === 'code' || !methods.includes('link'))
    return { ...common, ...this.#end(isCode ? (flow.codeExpiresAt ?? 0) : flow.linkExpiresAt) }
  }

  #end(at: number): Values {
    const leftMs = Math.max(0, at - this.#parts.services.clock.now())
    return { expiresAt: new Date(at).toISOString(), expiresInMinutes: Math.ceil(leftMs / 60_000) }
  }
}

const usualShapes: Readonly<Record<Redirect['step'], ResponseShape>> = {
  form: usual({}),
  sent: usual({
    reference: 'reference',
    expiresAt: 'expiresAt',
    expiresInMinutes: 'expiresInMinutes',
  }),
  reset: usual({ token: 'token', expiresAt: 'expiresAt' }),
  done: usual({}),
  revoked: usual({}),
}

const messages: Readonly<Record<Redirect['step'], string>> = {
  form: 'form.title',
  sent: 'sent.intro',
  reset: 'reset.title',
  done: 'done.title',
  revoked: 'revoked.title',
}

function usual(data: ResponseShape): ResponseShape {
  return { success: 'success', step: 'step', message: 'message', data }
}

function factValues(facts: Facts | undefined): Values {
  if (facts === undefined) return {}
  const { name, token, changedAt } = facts
  const at = changedAt === null ? {} : { changedAt: new Date(changedAt).toISOString() }
  return { name, token, ...at }
}

/** A body of the shape's form: texts name values, and a value that there is none of is `null`. */
function fill(shape: ResponseShape, values: Values): object {
  return Object.fromEntries(
    Object.entries(shape).map(([name, entry]) => {
      if (typeof entry === 'string') return [name, values[entry] ?? null]
      return [name, typeof entry === 'object' && entry !== null ? fill(entry, values) : entry]
    }),
  )
}

function failureBody(outcome: Shown, locale: Locale, lifetimeMs: number): object {
  const step = outcome.page
  if (outcome.page === 'error') {
    const { reason, retryAfterMs, incident } = outcome
    const wait = retryAfterMs === undefined ? '' : locale.duration(retryAfterMs)
    const title = locale.text(`reason.${reason}.title`)
    const text = locale.text(`reason.${reason}.${errorText(outcome)}`, {
      wait,
      lifetime: locale.duration(lifetimeMs),
    })
    const message = `${title} – ${text}`
    const rest = incident === undefined ? {} : { incident }
    return { success: false, step, reason, message, fields: [], ...rest }
  }
  const problems = 'problems' in outcome ? outcome.problems : []
  const shown = showProblems(problems, locale)
  const fields = problems.map(({ field: name, reason }, index) => {
    return { field: name, reason, message: shown[index]?.text ?? '' }
  })
  const [first] = fields
  return { success: false, step, reason: first?.reason, message: first?.message, fields }
}
