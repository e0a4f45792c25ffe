/** What can happen to a recovery; the names are stable. */
export const eventNames = [
  'requested',
  'suppressed',
  'sent',
  'send_failed',
  'opened',
  'code_failed',
  'code_locked',
  'changed',
  'expired',
  'rejected',
  'rate_limited',
  'revoked',
] as const

/** The name of something that can happen to a recovery. */
export type EventName = (typeof eventNames)[number]

/** Something that happened: no address, no secret, and no more of the client than its network. */
export interface RecoveryEvent {
  readonly name: EventName
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  /** The recovery it belongs to; `null` when it belongs to none. */
  readonly resetId: string | null
  /** The account, where it is known by then; else `null`. */
  readonly userId: string | null
  /** A MAC of the typed address without its letter case, where one was typed; else `null`. */
  readonly subjectKey: string | null
  /** The client's network: 24 bits of an IPv4 address, 48 of an IPv6 one; `''` when no client was there. */
  readonly client: string
  /** Why, as far as there is more to say; else `''`. */
  readonly reason: string
}

/** Where events go. */
export interface Events {
  /** Writes an event down and tells whoever listens; it never fails, and nobody waits for it. */
  record(event: RecoveryEvent): void
  /** Tells whoever listens of an event that is written down already. */
  tell(event: RecoveryEvent): void
}
