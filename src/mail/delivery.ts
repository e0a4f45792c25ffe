import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import type { EventName, Events } from '../events.ts'
import { describeError, type Log } from '../log.ts'
import type { Jobs, MailJob } from '../store/mail.ts'
import type { Milliseconds } from '../units.ts'
import { type Mailer, MailFailure, type Message } from './mailer.ts'
import type { Pace } from './pace.ts'
import type { Slots } from './slots.ts'

/** Why nobody is mailed for a job. */
type DropReason = 'no-account' | 'ended' | 'unchanged'

/** A mail that is owed, not yet made: those that wait for their turn take no room; or why none is. */
export type Draft = { readonly compose: () => Message } | { readonly dropped: DropReason }

/** Finds out what a job means at the moment it is due. */
export interface Writer {
  write(job: MailJob): Promise<Draft>
}

/** What can become of one try. */
export type MailOutcome = 'sent' | 'retried' | 'dropped' | 'dead'

export interface DeliveryParts {
  readonly jobs: Jobs
  readonly writer: Writer
  readonly mailer: Mailer
  /** `null` where mails may go as fast as they can. */
  readonly pace: Pace | null
  readonly slots: Slots
  readonly clock: Clock
  readonly log: Log
  readonly events: Events
  readonly metrics: { countMail(outcome: MailOutcome): void }
  /** Waits before each new try; the last is repeated until the mail would come too late. */
  readonly retriesMs: readonly Milliseconds[]
}

// Whether the mail server takes more is asked again after this, however long its limit reaches.
const longestPaceMs = 300_000
const awayMs = 1000

/** The longest that any job is put off by. */
export function longestWait(retriesMs: readonly Milliseconds[]): Milliseconds {
  return 2 * Math.max(longestPaceMs, ...retriesMs)
}

/** How a mail was handed over: it was taken, it was too late for it, or it has to wait for so long. */
type Handed = 'sent' | 'late' | Milliseconds

/** One try of a job that was claimed: it is sent, dropped, put back, or given up. */
export class Delivery {
  readonly #parts: DeliveryParts
  readonly #turns = new Turns()
  #isStopping = false

  constructor(parts: DeliveryParts) {
    this.#parts = parts
  }

  /** From now on only what a server is being handed is finished; the rest goes back to the queue. */
  stop(): void {
    this.#isStopping = true
  }

  /** How long the job has to wait for its next try; `null` when there is none. */
  async attempt(job: MailJob): Promise<Milliseconds | null> {
    try {
      return await this.#settle(job)
    } catch (error) {
      return this.#fail(job, error)
    }
  }

  async #settle(job: MailJob): Promise<Milliseconds | null> {
    const { jobs, writer, slots, clock, metrics } = this.#parts
    if (this.#isTooLate(job)) return this.#giveUp(job)
    const turn = this.#turns.take()
    let handed: Promise<Handed> | null = null
    try {
      const draft = await writer.write(job)
      await turn.come
      if ('compose' in draft) handed = slots.run(() => this.#handOver(job, draft.compose))
    } finally {
      turn.pass()
    }
    if (handed !== null) return this.#conclude(job, await handed)
    if (this.#isTooLate(job)) return this.#giveUp(job)
    await jobs.drop(job.id, clock.now())
    metrics.countMail('dropped')
    return null
  }

  async #handOver(job: MailJob, compose: () => Message): Promise<Handed> {
    const { mailer, pace } = this.#parts
    if (this.#isTooLate(job)) return 'late'
    if (this.#isStopping || !mailer.isReady()) return this.#putBack(job, null)
    const message = compose()
    const waitMs = (await pace?.wait(message.to)) ?? 0
    // Not all at the moment at which the first of them may go.
    if (waitMs > 0)
      return this.#putBack(job, Math.ceil(Math.min(waitMs, longestPaceMs) * (1 + Math.random())))
    await mailer.send(message)
    return 'sent'
  }

  /** Outside of its slot: the next mail need not wait until this one is written down. */
  async #conclude(job: MailJob, handed: Handed): Promise<Milliseconds | null> {
    if (handed === 'late') return this.#giveUp(job)
    if (handed !== 'sent') return handed
    const { jobs, clock, log, metrics } = this.#parts
    await jobs.finish(job.id, clock.now())
    metrics.countMail('sent')
    this.#record('sent', job, job.kind)
    log.info({ job: job.id, kind: job.kind, attempts: job.attempts }, 'mail sent')
    return null
  }

  /** @param waitMs `null`: it keeps its place among the others. */
  async #putBack(job: MailJob, waitMs: Milliseconds | null): Promise<Milliseconds> {
    const { jobs, clock } = this.#parts
    await jobs.putBack(job.id, waitMs === null ? job.createdAt : clock.now() + waitMs)
    return waitMs ?? 0
  }

  #isTooLate(job: MailJob): boolean {
    return job.expiresAt <= this.#parts.clock.now()
  }

  async #giveUp(job: MailJob): Promise<null> {
    const { jobs, clock, log, metrics } = this.#parts
    if (!(await jobs.bury(job.id, clock.now(), 'expired'))) return null
    metrics.countMail('dead')
    this.#record('send_failed', job, 'expired')
    log.warn({ job: job.id, kind: job.kind }, 'mail given up: it would come too late')
    return null
  }

  async #fail(job: MailJob, error: unknown): Promise<Milliseconds | null> {
    const { jobs, clock, log, metrics } = this.#parts
    const why = error instanceof MailFailure ? error.message : 'The mail could not be made'
    const about = {
      ...{ job: job.id, kind: job.kind, attempts: job.attempts },
      error: describeError(error),
    }
    const waitMs = this.#nextWait(job, error)
    if (waitMs === null) {
      if (!(await jobs.bury(job.id, clock.now(), why))) return null
      metrics.countMail('dead')
      this.#record('send_failed', job, isSignIn(error) ? 'sign-in' : 'refused')
      log.error(about, 'mail given up')
    } else {
      await jobs.retry(job.id, clock.now() + waitMs, why)
      metrics.countMail('retried')
      log.warn({ ...about, waitMs }, 'mail not accepted, to be tried again')
    }
    return waitMs
  }

  #nextWait({ attempts }: MailJob, error: unknown): Milliseconds | null {
    if (error instanceof MailFailure && error.isFinal) return null
    const { retriesMs } = this.#parts
    const isOfServer = error instanceof MailFailure && error.isOfServer
    // No list of waits makes a mail pay for a server that is away.
    const waitMs = retriesMs[attempts - 1] ?? retriesMs.at(-1) ?? (isOfServer ? awayMs : null)
    // Mails that failed together do not come back together.
    return waitMs && Math.ceil(waitMs * (1 + Math.random() / 4))
  }

  #record(name: EventName, { resetId }: MailJob, reason: string): void {
    const { clock, events } = this.#parts
    const nobody = { userId: null, subjectKey: null, client: '' }
    events.record({ name, at: clock.now(), resetId, reason, ...nobody })
  }
}

// Longer than what differs between two looks into a database, and too short for a mail to be missed.
const overtakingMs = 2000

/** Keeps jobs in the order in which they were claimed, however long each takes to become a mail. */
class Turns {
  #last: Promise<void> = Promise.resolve()

  /** Comes when all that were taken before have passed, or have taken too long. */
  take(): { readonly come: Promise<unknown>; readonly pass: () => void } {
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    const late = sleep(overtakingMs, undefined, { ref: false })
    return { come: Promise.race([before, late]), pass: resolve }
  }
}

function isSignIn(error: unknown): boolean {
  return error instanceof MailFailure && error.kind === 'sign-in'
}
