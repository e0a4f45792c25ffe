import type { Milliseconds } from '../units.ts'

/** Why a mail is owed: to recover an account, or to tell of a changed password. */
export type JobKind = 'recovery' | 'changed' | 'no-account'

/** A mail that is owed. It holds no secret: those are derived when it is sent. */
export interface MailJob {
  readonly id: string
  readonly kind: JobKind
  readonly resetId: string
  /** The address it is about, sealed; `null` once the mail is sent or comes too late. */
  readonly sealedAddress: string | null
  /** The language of the page it was asked for on. */
  readonly locale: string
  /** How often it has been tried, this time included. */
  readonly attempts: number
  readonly createdAt: number
  readonly expiresAt: number
}

/** Which jobs are to be taken. Times are milliseconds since the Unix epoch. */
export interface Claim {
  readonly now: number
  readonly leaseMs: Milliseconds
  readonly count: number
  /** A job that is due later than this has been put off by a clock that was wrong: it is due now. */
  readonly latest: number
  /** Whether to take only what comes too late, to be given up. */
  readonly isTooLateOnly: boolean
}

/** Calls the couriers of other processes, where the database can; they find their jobs without it, but later. */
export interface Bell {
  /** There is something to deliver. */
  ring(): void
  /** Has somebody called whenever it is rung. */
  answer(called: () => void): void
  close(): Promise<void>
}

/** The queue of mails. A job belongs to whoever claimed it until the lease runs out. */
export interface Jobs {
  /**
   * Turns a claimed job into the one that tells its address, once in 24 hours, that there is no account;
   * `false` when it was told already.
   */
  tellNoAccount(id: string, now: number): Promise<boolean>
  /** Takes due jobs, the longest due first; those of a process that died are due again when their lease ends. */
  claim(claim: Claim): Promise<MailJob[]>
  /** Keeps a claimed job for `leaseMs` more. */
  renew(id: string, now: number, leaseMs: Milliseconds): Promise<void>
  /** Ends a job that was sent. */
  finish(id: string, now: number): Promise<void>
  /** Ends a job that nobody is to be mailed for. */
  drop(id: string, now: number): Promise<void>
  /** Puts a job back that was not tried after all. */
  putBack(id: string, dueAt: number): Promise<void>
  /** Puts a job back that was tried; `error` tells the owner why it failed and holds no address. */
  retry(id: string, dueAt: number, error: string): Promise<void>
  /**
   * Gives a job up, for the owner to see, and to try again for as long as there is something to send; `false`
   * when it has ended already.
   */
  bury(id: string, now: number, error: string): Promise<boolean>
}

export type JobState = 'queued' | 'sending' | 'sent' | 'dropped' | 'dead'

/** A job as its owner sees it. */
export interface QueuedMail extends MailJob {
  readonly state: JobState
  /** The reference that its person sees. */
  readonly reference: string
  /** When it is to be tried; while it is being sent, when its lease runs out. */
  readonly dueAt: number
  readonly endedAt: number | null
  readonly lastError: string | null
}

/** How many jobs there are in each state, and the age of the oldest that is still owed. */
export interface QueueTotals extends Readonly<Record<JobState, number>> {
  /** `null` when none is owed. */
  readonly oldestMs: Milliseconds | null
}

/** What an owner may see of the queue, and do with it. */
export interface MailQueue {
  /** The newest jobs in these states, at most `count`. */
  list(states: readonly JobState[], count: number): Promise<QueuedMail[]>
  /** Those with a reference, or whose id begins like this; the newest first. */
  find(idOrReference: string): Promise<QueuedMail[]>
  /** Has a job that is queued or dead tried now; `false` when it is neither, or comes too late. */
  retry(id: string, now: number): Promise<boolean>
  /** Ends a job that is queued or dead; `false` when it is neither. */
  drop(id: string, now: number): Promise<boolean>
  totals(now: number): Promise<QueueTotals>
}
