import type { Milliseconds } from '../units.ts'
import type { Reset } from './store.ts'

/** What is stored of a reset's code: not the code, which is derived from these and the site's secret. */
export interface CodeState {
  /** Counts its codes: with a new one those before are worthless. */
  readonly generation: number
  /** Never later than the reset's own end. */
  readonly expiresAt: number
  /** Tries at this very code, those under way included. */
  readonly tries: number
}

/** How long a code lives, and how often it may be tried. */
export interface CodeRules {
  readonly lifetimeMs: Milliseconds
  readonly mostTries: number
  /** Whether the mail holds no link: then it is of no use after the code. */
  readonly isAlone: boolean
}

/** A visitor's try at a code. */
export interface CodeTry {
  readonly resetId: string
  readonly now: number
  /** Tries at one code. */
  readonly mostTries: number
  /** Wrong tries at all codes of one address within 24 hours. */
  readonly mostDailyTries: number
  /** Compares; it is asked only once the try is paid for. */
  readonly isRight: (reset: Reset) => boolean
}

/** What became of a try. */
export interface TriedCode {
  /**
   * `locked`: this code has had all of its tries; `locked-today`: its address has had all of the day's;
   * `ended`: its time is over, or there never was one.
   */
  readonly verdict: 'right' | 'wrong' | 'locked' | 'locked-today' | 'ended'
  /** With this try counted, if it was wrong; in any state. `null` when there is none of that id. */
  readonly reset: Reset | null
  /** When codes can be tried again; `null` unless it is `locked-today`. */
  readonly lockedUntil: number | null
}
