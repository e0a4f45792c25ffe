import type { Clock } from '../clock.ts'
import type { Milliseconds } from '../config/values.ts'
import { describeError, type Log } from '../log.ts'
import type { Jobs, MailJob } from '../store/store.ts'
import { type Mailer, MailFailure, type Message } from './mailer.ts'

/** Makes the mail of a job, at the moment it is sent. */
export interface Writer {
  /** The message, or `null` when nobody is to be mailed. */
  write(job: MailJob): Promise<Message | null>
}

export interface CourierParts {
  readonly jobs: Jobs
  readonly writer: Writer
  readonly mailer: Mailer
  readonly clock: Clock
  readonly log: Log
  /** Waits before each new try; after the last one a mail is given up. */
  readonly retriesMs: readonly Milliseconds[]
  /** How many mails may be on their way at a time. */
  readonly concurrency: number
}

// Work done on the heels of an answer shows in the time of the next request, and with it whether the
// address was known. On a fixed beat it shows in nobody's.
const beatMs = 50
// How soon a job that another process has queued, or left behind, is noticed.
const lookMs = 1000
const leaseMs = 15_000
const renewMs = 5000
const checkMs = 10_000

/** Delivers queued mails: each at least once, with the same secret and Message-ID every time. */
export class Courier {
  readonly #parts: CourierParts
  readonly #underway = new Map<string, Promise<void>>()
  #beat: NodeJS.Timeout | null = null
  #looking: Promise<void> | null = null
  #lookAt = 0
  #checkedAt = Number.NEGATIVE_INFINITY
  #isReachable = true

  constructor(parts: CourierParts) {
    this.#parts = parts
  }

  start(): void {
    this.#beat ??= setInterval(() => this.#tick(), beatMs)
  }

  /** Looks for mail at the next beat rather than at the next second; or, with `inMs`, that much later. */
  wake(inMs: Milliseconds = 0): void {
    this.#lookAt = Math.min(this.#lookAt, performance.now() + inMs)
  }

  /** Takes nothing new and waits for what is on its way. */
  async stop(): Promise<void> {
    if (this.#beat !== null) clearInterval(this.#beat)
    this.#beat = null
    await this.#looking
    await Promise.all(this.#underway.values())
  }

  /** Whether mails can be handed over, asked of the mail server at most every ten seconds. */
  async isReachable(): Promise<boolean> {
    const now = performance.now()
    if (now - this.#checkedAt >= checkMs) {
      this.#checkedAt = now
      this.#isReachable = await this.#parts.mailer.check().then(
        () => true,
        () => false,
      )
    }
    return this.#isReachable
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
    const { jobs, clock, concurrency } = this.#parts
    const free = concurrency - this.#underway.size
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
      await this.#handOver(job)
    } catch (error) {
      await this.#fail(job, error).catch((cause: unknown) => {
        // The lease runs out by itself: then the job is tried again.
        log.error({ job: job.id, error: describeError(cause) }, 'a mail job cannot be updated')
      })
    } finally {
      clearInterval(renewal)
    }
  }

  async #handOver(job: MailJob): Promise<void> {
    const { jobs, writer, mailer, clock, log } = this.#parts
    if (job.expiresAt <= clock.now()) {
      await jobs.bury(job.id, clock.now(), 'expired')
      log.warn({ job: job.id, kind: job.kind }, 'mail given up: it would come too late')
      return
    }
    const message = await writer.write(job)
    if (message === null) {
      await jobs.drop(job.id, clock.now())
      // In its place another may have been queued.
      this.wake()
      return
    }
    await mailer.send(message)
    await jobs.sent(job.id, clock.now())
    log.info({ job: job.id, kind: job.kind, attempts: job.attempts }, 'mail sent')
  }

  async #fail(job: MailJob, error: unknown): Promise<void> {
    const { jobs, clock, log, retriesMs } = this.#parts
    const isFinal = error instanceof MailFailure && error.isFinal
    const waitMs = isFinal ? undefined : retriesMs[job.attempts - 1]
    const why = error instanceof MailFailure ? error.message : 'The mail could not be made'
    const about = {
      job: job.id,
      kind: job.kind,
      attempts: job.attempts,
      error: describeError(error),
    }
    if (waitMs === undefined) {
      await jobs.bury(job.id, clock.now(), why)
      log.error(about, 'mail given up')
    } else {
      await jobs.retry(job.id, clock.now() + waitMs, why)
      this.wake(waitMs)
      log.warn({ ...about, waitMs }, 'mail not accepted, to be tried again')
    }
  }
}
