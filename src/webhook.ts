import type { Clock } from './clock.ts'
import { describeError, type Log } from './log.ts'
import type { Deliverer } from './mail/courier.ts'
import { signedHeaders } from './signature.ts'
import type { Audit, TrailEvent } from './store/store.ts'
import type { Milliseconds } from './units.ts'

interface WebhookParts {
  readonly url: string
  readonly secret: string
  readonly audit: Audit
  readonly clock: Clock
  readonly log: Log
}

const lookMs = 1000
const timeoutMs = 5000
const leaseMs = 15_000
// The last is repeated until the event is a day old.
const retriesMs: readonly Milliseconds[] = [1000, 5000, 15_000, 30_000]

/**
 * Tells the site's own endpoint what has happened: each event at least once, in their order, one after the
 * other, and signed as Standard Webhooks has it (webhook-id, webhook-timestamp, webhook-signature). Events wait
 * in the store while the endpoint is away, for a day at most.
 */
export class Webhook implements Deliverer {
  readonly #parts: WebhookParts
  #timer: NodeJS.Timeout | null = null
  #running: Promise<void> | null = null
  #failures = 0

  constructor(parts: WebhookParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer ??= setInterval(() => this.wake(), lookMs)
  }

  wake(): void {
    if (this.#timer === null || this.#running !== null) return
    this.#running = this.#tellAll()
      .catch((error: unknown) => {
        this.#parts.log.error({ error: describeError(error) }, 'events cannot be read')
      })
      .finally(() => {
        this.#running = null
      })
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    await this.#running
  }

  async #tellAll(): Promise<void> {
    const { audit, clock } = this.#parts
    while (this.#timer !== null) {
      const event = await audit.claimNext(clock.now(), leaseMs)
      if (event === null || !(await this.#tell(event))) return
    }
  }

  async #tell(event: TrailEvent): Promise<boolean> {
    const { audit, clock, log } = this.#parts
    try {
      await this.#post(event)
      await audit.told(event.id, clock.now())
      this.#failures = 0
      return true
    } catch (error) {
      const waitMs = retriesMs[this.#failures] ?? retriesMs.at(-1) ?? leaseMs
      this.#failures += 1
      await audit.postpone(event.id, clock.now() + waitMs)
      log.warn({ event: event.id, waitMs, error: describeError(error) }, 'the webhook has failed')
      return false
    }
  }

  async #post({ id, at, ...rest }: TrailEvent): Promise<void> {
    const body = JSON.stringify({ id, at: new Date(at).toISOString(), ...rest })
    const { clock, secret, url } = this.#parts
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: signedHeaders({ id, at: clock.now(), body }, secret),
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'error',
    })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`The endpoint answered ${response.status}`)
  }
}
