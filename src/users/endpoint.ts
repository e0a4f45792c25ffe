import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import type { UserEndpoint } from '../config/config.ts'
import { ForgotError } from '../errors.ts'
import { signedHeaders } from '../signature.ts'
import type { Milliseconds } from '../units.ts'

export type Action = 'findByEmail' | 'findById' | 'setPassword' | 'hasUsed' | 'endSessions'

export interface Question {
  readonly action: Action
  readonly [detail: string]: string
}

export interface Answer {
  /** 501 where the endpoint does not offer what it was asked. */
  readonly status: 200 | 204 | 501
  readonly text: string
  /** Whether a try before may have been heard, although its answer was not. */
  readonly isRepeat: boolean
}

interface Fault {
  readonly what: string
  readonly mayPass: boolean
  readonly cause?: unknown
}

// Less than the ten seconds of `timely.ts`: nothing is asked for a request that has been given up.
const longestPatienceMs = 9000
const mostTries = 3
const firstPauseMs = 150
// An account is some hundred bytes.
const mostBytes = 64 * 1024

/** Posts signed questions to the endpoint of a site, and has patience with it. */
export class Endpoint {
  readonly #name: string
  readonly #settings: UserEndpoint
  readonly #clock: Clock
  readonly #patienceMs: Milliseconds

  constructor(settings: UserEndpoint, clock: Clock, withinMs: Milliseconds = longestPatienceMs) {
    const { origin, pathname } = new URL(settings.url)
    // What follows a ? may be a secret.
    this.#name = `${origin}${pathname}`
    this.#settings = settings
    this.#clock = clock
    this.#patienceMs = withinMs
  }

  /** When a call that begins now gives up, with all the questions that it takes. */
  deadline(): AbortSignal {
    return AbortSignal.timeout(this.#patienceMs)
  }

  /**
   * The answer to a question, which is asked again with the same `webhook-id` after a failure that may pass: no
   * connection, no answer in time, 429, 502, 503 or 504.
   *
   * @param deadline When to give up, whatever is under way: {@link deadline}.
   * @throws {ForgotError} `ERR_FORGOT_USERS` after three tries, and at once for any other answer than 200, 204 and 501.
   */
  async ask(question: Question, deadline: AbortSignal): Promise<Answer> {
    const id = randomUUID()
    const body = JSON.stringify(question)
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#try({ id, body }, deadline)
      if ('status' in answer) return { ...answer, isRepeat: tries > 1 }
      if (!answer.mayPass || tries === mostTries || deadline.aborted) {
        throw this.fault(question.action, answer.what, answer.cause)
      }
      await sleep(firstPauseMs * 3 ** (tries - 1) * (0.5 + Math.random()))
    }
  }

  /** An error that names the endpoint and what it was asked, and nothing that was sent or answered. */
  fault(action: Action, what: string, cause?: unknown): ForgotError {
    const message = `users: ${this.#name} ${what} (${action})`
    return new ForgotError('ERR_FORGOT_USERS', message, cause === undefined ? {} : { cause })
  }

  async #try(
    { id, body }: { readonly id: string; readonly body: string },
    deadline: AbortSignal,
  ): Promise<Omit<Answer, 'isRepeat'> | Fault> {
    const { secret, timeoutMs, url } = this.#settings
    const signal = AbortSignal.any([deadline, AbortSignal.timeout(timeoutMs)])
    try {
      const response = await fetch(url, {
        method: 'POST',
        body,
        headers: signedHeaders({ id, at: this.#clock.now(), body }, secret),
        // Not followed: the answer itself says better what is wrong than the error that it could be.
        redirect: 'manual',
        signal,
      })
      const { status } = response
      if (status === 200 || status === 204 || status === 501) {
        const text = await readText(response)
        return text === null ? tooLong : { status, text }
      }
      await response.body?.cancel()
      return statusFault(status)
    } catch (error) {
      return signal.aborted ? this.#lateFault(error) : connectionFault(error)
    }
  }

  #lateFault(cause: unknown): Fault {
    const what = `has not answered within ${this.#settings.timeoutMs} ms, or ${this.#patienceMs} ms in all`
    return { what, mayPass: true, cause }
  }
}

const tooLong: Fault = { what: `has answered with more than ${mostBytes} bytes`, mayPass: false }

/** A body as text, or `null` when it is too long; the rest is not read then. */
async function readText({ body }: Response): Promise<string | null> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.byteLength
    if (size > mostBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const passing: ReadonlySet<number> = new Set([429, 502, 503, 504])

function statusFault(status: number): Fault {
  return { what: `has answered ${status}${remedy(status)}`, mayPass: passing.has(status) }
}

function remedy(status: number): string {
  if (status >= 300 && status < 400)
    return ', which leads elsewhere: set users.url to the address that answers itself'
  if (status === 401 || status === 403)
    return ': let it check the signature with the same secret, let both clocks be right, and let it ask for no other sign-in'
  if (status === 404 || status === 405)
    return ': check users.url; nobody found is 200 with {"user":null}, and not offered is 501'
  return ''
}

function connectionFault(error: unknown): Fault {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const { code = 'no connection' } = cause as NodeJS.ErrnoException
  const advice = /CERT|TLS|SSL|ISSUER|VERIFY/.test(code)
    ? 'check its certificate, and NODE_EXTRA_CA_CERTS where it is signed by an authority of your own'
    : 'check that it is running, and the host and the port in users.url'
  return { what: `cannot be reached: ${code}; ${advice}`, mayPass: true, cause }
}
