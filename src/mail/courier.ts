import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '../log.ts'
import type { MailJob } from '../store/mail.ts'
import type { Milliseconds } from '../units.ts'
import { Delivery, type DeliveryParts, longestWait } from './delivery.ts'
import { Slots } from './slots.ts'

/** What delivers: mails or events, here or in a thread of its own. */
export interface Deliverer {
  start(): void
  /** Looks for work at the next beat rather than at the next second. */
  wake(): void
  /** Takes nothing new, waits a while for what is on its way, and lets go of everything. */
  stop(): Promise<void>
}

interface CourierParts extends Omit<DeliveryParts, 'slots'> {
  /** How many mails may be handed over at a time. */
  readonly connections: number
}

// Work done on the heels of an answer shows in the time of the next request, and with it whether the
// address was known. On a fixed beat it shows in nobody's.
const beatMs = 50
// How soon a job that another process has queued, or left behind, is noticed.
const lookMs = 1000
const leaseMs = 15_000
const renewMs = 5000
// Addresses without an account are looked up and dropped at once: they must not keep others waiting for
// one of the few connections.
const mostUnderway = 64
const patienceMs = 8000

/** Delivers queued mails: each at least once, with the same secret and Message-ID every time. */
export class Courier implements Deliverer {
  readonly #parts: CourierParts
  readonly #delivery: Delivery
  /** No job is ever put off by more. */
  readonly #longestWaitMs: Milliseconds
  readonly #underway = new Map<string, Promise<void>>()
  #beat: NodeJS.Timeout | null = null
  #looking: Promise<void> | null = null
  #lookAt = 0
  #wasReady = true

  constructor(parts: CourierParts) {
    this.#parts = parts
    this.#delivery = new Delivery({ ...parts, slots: new Slots(parts.connections) })
    this.#longestWaitMs = leaseMs + longestWait(parts.retriesMs)
  }

  start(): void {
    this.#beat ??= setInterval(() => this.#tick(), beatMs)
  }

  wake(): void {
    this.#lookWithin(0)
  }

  async stop(): Promise<void> {
    if (this.#beat !== null) clearInterval(this.#beat)
    this.#beat = null
    this.#delivery.stop()
    await this.#looking
    // What takes longer keeps its place in the queue: its lease runs out.
    const patience = sleep(patienceMs, undefined, { ref: false })
    await Promise.race([Promise.all(this.#underway.values()), patience])
  }

  #lookWithin(ms: Milliseconds): void {
    this.#lookAt = Math.min(this.#lookAt, performance.now() + ms)
  }

  #tick(): void {
    const now = performance.now()
    const isReady = this.#parts.mailer.isReady()
    if (isReady && !this.#wasReady) this.wake()
    this.#wasReady = isReady
    if (this.#looking !== null || now < this.#lookAt) return
    this.#lookAt = now + lookMs
    this.#looking = this.#look(isReady)
      .catch((error: unknown) => {
        this.#parts.log.error({ error: describeError(error) }, 'the mail queue cannot be read')
      })
      .finally(() => {
        this.#looking = null
      })
  }

  /** While no server can be used, mails keep their places and their tries; those that come too late end. */
  async #look(isReady: boolean): Promise<void> {
    const { jobs, clock } = this.#parts
    const count = mostUnderway - this.#underway.size
    if (count <= 0) return
    const now = clock.now()
    const latest = now + this.#longestWaitMs
    const claimed = await jobs.claim({ now, leaseMs, count, latest, isTooLateOnly: !isReady })
    // A clock that was put forward has ended the leases of those that are under way here.
    for (const job of claimed.filter(({ id }) => !this.#underway.has(id))) {
      const attempt = this.#attempt(job).finally(() => {
        this.#underway.delete(job.id)
        // Whatever had to wait for a free place may go now.
        if (claimed.length === count) this.wake()
      })
      this.#underway.set(job.id, attempt)
    }
  }

  async #attempt(job: MailJob): Promise<void> {
    const { jobs, clock, log } = this.#parts
    const renewal = setInterval(() => {
      jobs.renew(job.id, clock.now(), leaseMs).catch(() => {})
    }, renewMs)
    try {
      const waitMs = await this.#delivery.attempt(job)
      if (waitMs !== null) this.#lookWithin(waitMs)
    } catch (cause) {
      // The lease runs out by itself: then the job is tried again.
      log.error({ job: job.id, error: describeError(cause) }, 'a mail job cannot be updated')
    } finally {
      clearInterval(renewal)
    }
  }
}
