import { Action, HtmlResponse, type Request, type Response } from './action.ts'
import { ForgotError, type ForgotErrorCode } from './errors.ts'
import { describeError } from './log.ts'
import { newReference, showReference } from './proof/reference.ts'
import type { Pages } from './respond/html.ts'
import type { Services } from './services.ts'
import { type ErrorPage, failure } from './steps/outcome.ts'
import { takeStep } from './steps/step.ts'
import type { User } from './user.ts'

// Faults of what the module leans on, which may be mended by the next try.
const passing: ReadonlySet<ForgotErrorCode> = new Set(['ERR_FORGOT_BUSY', 'ERR_FORGOT_STORE'])
// What a store or a worker that is held up for a moment needs to be free again.
const retryAfterMs = 5000

/**
 * Account recovery as one action: the request's data picks the form, sent, reset, done or error step.
 *
 * ```ts
 * const response = await new Forgot(services, pages).html(request)
 * ```
 */
export class Forgot<T extends User = User> extends Action<T> {
  readonly #services: Services
  readonly #pages: Pages

  constructor(services: Services, pages: Pages) {
    super()
    this.#services = services
    this.#pages = pages
  }

  async html({ request }: Request<T>): Promise<Response> {
    try {
      return await this.#pages.respond(await takeStep(request, this.#services), request)
    } catch (error) {
      return this.htmlFailure(error, { request })
    }
  }

  /** The page for what was decided before any step, such as that a body is too large. */
  async htmlError(page: ErrorPage, { request }: Pick<Request<T>, 'request'>): Promise<Response> {
    try {
      return await this.#pages.respond(page, request)
    } catch (error) {
      return this.htmlFailure(error, { request })
    }
  }

  /** The page for what went wrong; the cause is logged. */
  async htmlFailure(error: unknown, { request }: Pick<Request<T>, 'request'>): Promise<Response> {
    const page = this.#fail(error)
    try {
      return await this.#pages.respond(page, request)
    } catch (cause) {
      this.#services.log.error({ error: describeError(cause) }, 'the error page cannot be rendered')
      return lastResort(page.incident ?? '')
    }
  }

  /** The visitor is told a number, the log the cause; neither is told the other's. */
  #fail(error: unknown): ErrorPage {
    const incident = showReference(newReference())
    const isPassing = error instanceof ForgotError && passing.has(error.code)
    this.#services.log.error({ incident, error: describeError(error) }, 'request failed')
    return isPassing
      ? failure('unavailable', { incident, retryAfterMs })
      : failure('internal', { incident })
  }
}

/** What is left when the error page itself is broken: no template, no language, and the number to name. */
function lastResort(incident: string): Response {
  const body = `<!doctype html><html lang="en"><title>Something went wrong</title><main data-step="error" data-reason="internal"><h1>Something went wrong</h1><p>Please try again later. Incident ${incident}</p></main></html>`
  return new HtmlResponse(body, 500, { 'cache-control': 'no-store' })
}
