import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import type { EventName, Events } from '../events.ts'
import { describeError, type Log } from '../log.ts'
import type { Jobs, MailJob } from '../store/store.ts'
import type { Milliseconds } from '../units.ts'
import { type Mailer, MailFailure, type Message } from './mailer.ts'
import { Slots } from './slots.ts'

/** Delivers queued mails, here or in a thread of its own. */
export interface Delivery {
  start(): void
  /** Looks for mail at the next beat rather than at the next second. */
  wake(): void
  /** Takes nothing new, waits a while for what is on its way, and lets go of everything. */
  stop(): Promise<void>
}

/** Why nobody is mailed for a job. */
export type DropReason = 'no-account' | 'ended' | 'unchanged'

/** Finds out what a job means at the moment it is due. */
export interface Writer {
  /** The mail that is owed now; or why none is. */
  write(job: MailJob): Promise<{ readonly message: Message } | { readonly dropped: DropReason }>
}

export interface CourierParts {
  readonly jobs: Jobs
  readonly writer: Writer
  readonly mailer: Mailer
  readonly clock: Clock
  readonly log: Log
  readonly events: Events
  /** Waits before each new try; the last is repeated until the mail would come too late. */
  readonly retriesMs: readonly Milliseconds[]
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
export class Courier implements Delivery {
  readonly #parts: CourierParts
  readonly #slots: Slots
  readonly #underway = new Map<string, Promise<void>>()
  #beat: NodeJS.Timeout | null = null
  #looking: Promise<void> | null = null
  #lookAt = 0

  constructor(parts: CourierParts) {
    this.#parts = parts
    this.#slots = new Slots(parts.connections)
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
    if (this.#looking !== null || now < this.#lookAt) return
    this.#lookAt = now + lookMs
    this.#looking = this.#look()
      .catch((error: unknown) => {
        this.#parts.log.error({ error: describeError(error) }, 'the mail queue cannot be read')
      })
      .finally(() => {
        this.#looking = null
      })
  }

  async #look(): Promise<void> {
    const { jobs, clock } = this.#parts
    const free = mostUnderway - this.#underway.size
    if (free <= 0) return
    const claimed = await jobs.claim(clock.now(), leaseMs, free)
    for (const job of claimed) {
      const delivery = this.#deliver(job).finally(() => {
        this.#underway.delete(job.id)
        // Whatever had to wait for a free place may go now.
        if (claimed.length === free) this.wake()
      })
      this.#underway.set(job.id, delivery)
    }
  }

  async #deliver(job: MailJob): Promise<void> {
    const { jobs, clock, log } = this.#parts
    const renewal = setInterval(() => {
      jobs.renew(job.id, clock.now(), leaseMs).catch(() => {})
    }, renewMs)
    try {
      await this.#settle(job)
    } catch (error) {
      await this.#fail(job, error).catch((cause: unknown) => {
        // The lease runs out by itself: then the job is tried again.
        log.error({ job: job.id, error: describeError(cause) }, 'a mail job cannot be updated')
      })
    } finally {
      clearInterval(renewal)
    }
  }

  async #settle(job: MailJob): Promise<void> {
    const { jobs, writer, clock } = this.#parts
    if (this.#isTooLate(job)) return this.#giveUp(job)
    const draft = await writer.write(job)
    if ('message' in draft) return this.#slots.run(() => this.#handOver(job, draft.message))
    await jobs.drop(job.id, clock.now())
  }

  async #handOver(job: MailJob, message: Message): Promise<void> {
    const { jobs, mailer, clock, log } = this.#parts
    if (this.#isTooLate(job)) return this.#giveUp(job)
    await mailer.send(message)
    await jobs.finish(job.id, clock.now())
    this.#record('sent', job, job.kind)
    log.info({ job: job.id, kind: job.kind, attempts: job.attempts }, 'mail sent')
  }

  #isTooLate(job: MailJob): boolean {
    return job.expiresAt <= this.#parts.clock.now()
  }

  async #giveUp(job: MailJob): Promise<void> {
    const { jobs, clock, log } = this.#parts
    await jobs.bury(job.id, clock.now(), 'expired')
    this.#record('send_failed', job, 'expired')
    log.warn({ job: job.id, kind: job.kind }, 'mail given up: it would come too late')
  }

  async #fail(job: MailJob, error: unknown): Promise<void> {
    const { jobs, clock, log, retriesMs } = this.#parts
    const isFinal = error instanceof MailFailure && error.isFinal
    const waitMs = isFinal ? undefined : (retriesMs[job.attempts - 1] ?? retriesMs.at(-1))
    const why = error instanceof MailFailure ? error.message : 'The mail could not be made'
    const about = {
      job: job.id,
      kind: job.kind,
      attempts: job.attempts,
      error: describeError(error),
    }
    if (waitMs === undefined) {
      await jobs.bury(job.id, clock.now(), why)
      this.#record('send_failed', job, 'refused')
      log.error(about, 'mail given up')
    } else {
      await jobs.retry(job.id, clock.now() + waitMs, why)
      this.#lookWithin(waitMs)
      log.warn({ ...about, waitMs }, 'mail not accepted, to be tried again')
    }
  }

  #record(name: EventName, { resetId }: MailJob, reason: string): void {
    const { clock, events } = this.#parts
    const nobody = { userId: null, subjectKey: null, client: '' }
    events.record({ name, at: clock.now(), resetId, reason, ...nobody })
  }
}
