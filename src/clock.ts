/** The one source of time: every expiry, limit and retry is reckoned from it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
}

/**
 * How far a time may lie ahead: processes read their clocks and then take turns, and the clocks of machines differ.
 * What is further in the future is of a clock that was wrong.
 */
export const clockSlackMs = 60_000

export const systemClock: Clock = { now: () => Date.now() }
