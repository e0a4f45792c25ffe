import { Action, HtmlResponse, type Request, type Response } from './action.ts'
import { ForgotError, type ForgotErrorCode } from './errors.ts'
import { describeError } from './log.ts'
import { newReference, showReference } from './proof/reference.ts'
import type { Services } from './services.ts'
import {
  type ErrorPage,
  type ErrorReason,
  errorStatus,
  failure,
  type Outcome,
} from './steps/outcome.ts'
import { takeStep } from './steps/step.ts'
import { readVisit, type Visit } from './steps/visit.ts'
import type { User } from './user.ts'

/** What answers in each format. */
interface Responders {
  readonly html: Responder
  readonly json: Responder
}

/** Turns what a step decided into an answer of one format. */
interface Responder {
  respond(outcome: Outcome, visit: Visit): Promise<Response>
}

// Faults of what the module leans on, which may be mended by the next try.
const passing: ReadonlySet<ForgotErrorCode> = new Set([
  'ERR_FORGOT_BUSY',
  'ERR_FORGOT_STORE',
  'ERR_FORGOT_USERS',
])
// What a store or a worker that is held up for a moment needs to be free again.
const retryAfterMs = 5000

/** Account recovery as one action: the request's data picks the form, sent, reset, done or error step. */
export class Forgot<T extends User = User> extends Action<T> {
  readonly #services: Services
  readonly #responders: Responders

  constructor(services: Services, responders: Responders) {
    super()
    this.#services = services
    this.#responders = responders
  }

  html(request: Request<T>): Promise<Response> {
    return this.#answer({ ...request, format: 'html' }, (visit) => this.#take(visit))
  }

  /** The same for programs: without a session and without a cookie. */
  json(request: Request<T>): Promise<Response> {
    return this.#answer({ ...request, format: 'json' }, (visit) => this.#take(visit))
  }

  /** The answer to what was decided before any step, such as that a body is too large. */
  refuse(reason: ErrorReason, request: Pick<Request, 'format' | 'request'>): Promise<Response> {
    return this.#answer(request, async () => failure(reason))
  }

  /** The answer to what went wrong outside of a step; the cause is logged. */
  fail(error: unknown, request: Pick<Request, 'format' | 'request'>): Promise<Response> {
    return this.#answer(request, async () => this.#report(error))
  }

  #take(visit: Visit): Promise<Outcome> {
    return takeStep(visit, this.#services)
  }

  async #answer(
    request: Pick<Request, 'format' | 'request'>,
    decide: (visit: Visit) => Promise<Outcome>,
  ): Promise<Response> {
    const isJson = request.format === 'json'
    const responder = isJson ? this.#responders.json : this.#responders.html
    const visit = readVisit(request, this.#services)
    try {
      return await responder.respond(await decide(visit), visit)
    } catch (error) {
      const page = this.#report(error)
      return responder.respond(page, visit).catch((cause: unknown) => this.#lastResort(page, cause))
    }
  }

  /** The visitor is told a number, the log the cause; neither is told the other's. */
  #report(error: unknown): ErrorPage {
    const incident = newIncident()
    this.#services.log.error({ incident, error: describeError(error) }, 'request failed')
    if (incident === null) return failure('unavailable', { retryAfterMs })
    const isPassing = error instanceof ForgotError && passing.has(error.code)
    return isPassing
      ? failure('unavailable', { incident, retryAfterMs })
      : failure('internal', { incident })
  }

  /** What is left when the error page itself is broken: no template, no language, and the number to name. */
  #lastResort({ reason, incident = '' }: ErrorPage, cause: unknown): Response {
    this.#services.log.error({ error: describeError(cause) }, 'the error page cannot be rendered')
    const body = `<!doctype html><html lang="en"><title>Something went wrong</title><main data-step="error" data-reason="${reason}"><h1>Something went wrong</h1><p>Please try again later. Incident ${incident}</p></main></html>`
    return new HtmlResponse(body, errorStatus[reason], { 'cache-control': 'no-store' })
  }
}

/** `null` while there are no random bytes: nothing that this module does goes without. */
function newIncident(): string | null {
  try {
    return showReference(newReference())
  } catch {
    return null
  }
}
