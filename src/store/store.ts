import type { RecoveryEvent } from '../events.ts'
import type { Limit, Milliseconds } from '../units.ts'
import type { CodeRules, CodeState, CodeTry, TriedCode } from './code.ts'
import type { Jobs, MailQueue } from './mail.ts'

/** `live` can be used; every other state is the end, and no clock that jumps back returns from it. */
export type ResetState = 'live' | 'used' | 'replaced' | 'expired' | 'revoked'

/** One open recovery. Times are milliseconds since the Unix epoch. */
export interface Reset {
  readonly id: string
  /** SHA-256 of the link's token, which itself is stored nowhere. */
  readonly tokenHash: string
  readonly reference: string
  /** MAC of the address without its letter case. */
  readonly subjectKey: string
  /** `null` until the courier has found the account, and for ever when there is none. */
  readonly userId: string | null
  /** MAC of the account's version when the secret was mailed: a changed account ends the recovery. */
  readonly accountMark: string | null
  /** The language of the page it was asked for on, and of the mail once one was sent. */
  readonly locale: string
  readonly state: ResetState
  readonly createdAt: number
  readonly expiresAt: number
  /** `null` while no code was ever asked for. */
  readonly code: CodeState | null
}

/** MACs of one value, under each of the site's secrets: the first is stored, any of them is found. */
export type Keys = readonly [string, ...string[]]

/** What a visitor asks for by typing an address, known or not: the two are stored alike. */
export interface ResetRequest {
  /** Identifies the reset that is made when none can be used again. */
  readonly id: string
  readonly tokenHash: string
  readonly reference: string
  /** Identifies the mail, should one be granted; for a restart, the one that is being written. */
  readonly jobId: string
  /** MACs of the address without its letter case: open resets are found, and limits counted, by them. */
  readonly subjectKeys: Keys
  /** The typed address, sealed: the mail job holds it until it is processed. */
  readonly sealedAddress: string
  readonly locale: string
  readonly now: number
  readonly lifetimeMs: Milliseconds
  /** `null` where the site sends no codes. */
  readonly code: CodeRules | null
  readonly limits: readonly Limit[]
  /** The network of the client that asks. */
  readonly client: string
}

/** The account a secret is mailed to. */
export interface Assignment {
  readonly resetId: string
  readonly userId: string
  readonly accountMark: string
  readonly locale: string
  readonly now: number
}

/** A mail that is owed to an account whose password is about to be written. */
export interface Notice {
  readonly id: string
  readonly subjectKey: string
  readonly locale: string
  readonly sealedAddress: string
  /** When to look whether the password was written, should nobody have reported it. */
  readonly dueAt: number
  /** After this time the news is of no use any more. */
  readonly expiresAt: number
}

/** The reset a visitor is shown, and whether a mail was granted for it. */
export interface Requested extends Reset {
  readonly isGranted: boolean
}

/** A client has asked too often: nothing was done for it. */
export interface Refused {
  readonly waitMs: Milliseconds
}

/** How often somebody may do something, and the key by which that is counted. */
export interface Allowance extends Limit {
  readonly key: string
}

export interface Resets {
  /**
   * Answers a request in one transaction: finds the address's live reset, or makes one when there is none
   * or it is past half of its life, renews a code that is past half of its own or locked, and queues a mail unless
   * a limit forbids it. What the visitor is shown of it, its reference and its end, depends on what was asked for the address before, and never on what
   * became of it: else it would tell whether there is an account, and when a link was used.
   *
   * @param allowances How often the client may ask, which is counted in the same transaction; default: always.
   */
  request(request: ResetRequest): Promise<Requested>
  request(request: ResetRequest, allowances: readonly Allowance[]): Promise<Requested | Refused>
  /**
   * Makes a reset in the place of one that its account cannot use any more, with the same reference and end,
   * and gives it the mail job that found this out: nothing is mailed, and nothing counted, a second time.
   */
  restart(request: ResetRequest): Promise<Reset>
  /**
   * Makes a reset that nobody is mailed, in the place of whatever is live for its address: for an owner who hands
   * the link over. No limit counts it.
   */
  issue(request: ResetRequest): Promise<Reset>
  findByToken(tokenHash: string): Promise<Reset | null>
  find(id: string): Promise<Reset | null>
  /** The newest reset with this reference, in any state. */
  findByReference(reference: string): Promise<Reset | null>
  /** The newest reset of an address, in any state. */
  findBySubject(subjectKeys: Keys): Promise<Reset | null>
  /**
   * Counts a try, compares, and takes a right one back, all in one transaction: of any number of simultaneous
   * tries no more than allowed are compared.
   */
  tryCode(attempt: CodeTry): Promise<TriedCode>
  /** Whether the address of a reset has had all of the day's tries. */
  isLockedToday(reset: Reset, now: number, mostDailyTries: number): Promise<boolean>
  /** Names the account a live reset belongs to and ends the account's other ones. */
  assign(assignment: Assignment): Promise<void>
  /**
   * Spends a live reset and queues its notices, in one statement each and one transaction: of any number
   * of simultaneous callers exactly one gets `true`.
   */
  spend(id: string, now: number, notices: readonly Notice[]): Promise<boolean>
  /** The password was written: its notices may go. */
  confirm(id: string, now: number): Promise<void>
  /**
   * The password was not written, or that is not certain: the reset lives on. Its notices stay: whether
   * there is anything to tell is seen when they are due.
   */
  release(id: string, now: number): Promise<void>
  /** Ends a reset that is live, and every other live one of its account: its person did not ask for them. */
  revoke(id: string, now: number): Promise<void>
  /** Ends a live reset that was found expired, or whose account has changed. */
  end(id: string, state: 'expired' | 'revoked', now: number): Promise<void>
}

/** What has happened, for whoever has to find out later. */
export interface Audit {
  /** Writes events down, all or none; the answer names the owner of each recovery, where an event did not. */
  add(events: readonly RecoveryEvent[]): Promise<readonly RecoveryEvent[]>
  /**
   * Takes the oldest event that the site's endpoint has not been told of, for `leaseMs`; `null` when there is
   * none, or it is somebody else's, or not due yet: those after it wait, so that they arrive in their order.
   */
  claimNext(now: number, leaseMs: Milliseconds): Promise<TrailEvent | null>
  /** What happened to an address or to its account, the newest first, at most `count`. */
  about(subjectKeys: Keys, userId: string | null, count: number): Promise<TrailEvent[]>
  /** The endpoint has been told. */
  told(id: string, now: number): Promise<void>
  /** It could not be told; not to be tried before `dueAt`. */
  postpone(id: string, dueAt: number): Promise<void>
}

/** An event as it was written down. */
export interface TrailEvent extends RecoveryEvent {
  /** Sorts in the order of the events. */
  readonly id: string
}

/** What is done only so often. */
export interface Counters {
  /** Counts an act. How long has to be waited, or 0 when it was within everything that is allowed. */
  take(allowances: readonly Allowance[], now: number): Promise<Milliseconds>
  /** What {@link take} would answer now; nothing is counted. */
  wait(allowances: readonly Allowance[], now: number): Promise<Milliseconds>
}

/** Which secrets the processes of a store work with, without the secrets. */
export interface KeyMarks {
  /**
   * Writes down that links are made with the first of some secrets; `false`, and nothing written, when another
   * one was used within so many milliseconds that is not among them.
   */
  use(marks: Keys, now: number, withinMs: Milliseconds): Promise<boolean>
  /** Whatever was used is no longer asked for. */
  forget(): Promise<void>
}

/** The durable state of the module: one implementation for every SQL engine. */
export interface Store {
  readonly audit: Audit
  readonly resets: Resets
  readonly jobs: Jobs
  readonly queue: MailQueue
  readonly keyMarks: KeyMarks
  readonly counters: Counters
  /**
   * Ends what has expired and deletes what ended before `before`, and events that are half a year old, at most
   * `count` rows of each kind. Whether there may be more to delete.
   */
  prune(now: number, before: number, count: number): Promise<boolean>
  /** Puts away what was written lately, where the engine leaves that to be done; no writer is kept waiting. */
  settle(): Promise<void>
  /** By how much this machine's clock is ahead of the database's; behind it: less than 0. */
  clockSkew(now: number): Promise<Milliseconds>
  /** Resolves when the database answers. */
  check(): Promise<void>
  close(): Promise<void>
}
