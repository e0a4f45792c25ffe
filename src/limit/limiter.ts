import type { Clock } from '../clock.ts'
import type { Allowance, Counters } from '../store/store.ts'
import type { Limit, Milliseconds } from '../units.ts'

/** What one client may do only so often. */
export type LimitedAct = 'request' | 'bad-proof' | 'wrong-code'

/** Counts what clients do, or what is done for them. */
export interface Limiter<Act extends string = LimitedAct> {
  /**
   * Counts one act. The answer is how many milliseconds the client has to wait, or 0 when the act was
   * within its limit.
   *
   * @param client A key that stands for the client, such as a MAC of its network.
   * @throws {ForgotError} `ERR_FORGOT_STORE` or `ERR_FORGOT_BUSY` when it cannot be counted.
   */
  take(act: Act, client: string): Promise<Milliseconds>
  /** What {@link take} would answer if the client did it now; nothing is counted. */
  wait(act: Act, client: string): Promise<Milliseconds>
  /** What the client may do, for a store that counts it within the transaction of the act itself. */
  allowances(act: Act, client: string): readonly Allowance[]
}

/** Counts in the store, so that neither a restart nor a second process starts afresh. */
export class StoreLimiter<Act extends string> implements Limiter<Act> {
  readonly #counters: Counters
  readonly #clock: Clock
  readonly #limits: Readonly<Record<Act, readonly Limit[]>>

  constructor(counters: Counters, clock: Clock, limits: Readonly<Record<Act, readonly Limit[]>>) {
    this.#counters = counters
    this.#clock = clock
    this.#limits = limits
  }

  take(act: Act, client: string): Promise<Milliseconds> {
    return this.#counters.take(this.allowances(act, client), this.#clock.now())
  }

  wait(act: Act, client: string): Promise<Milliseconds> {
    return this.#counters.wait(this.allowances(act, client), this.#clock.now())
  }

  allowances(act: Act, client: string): readonly Allowance[] {
    return this.#limits[act].map((limit, index) => ({ ...limit, key: `${act}-${index}:${client}` }))
  }
}
