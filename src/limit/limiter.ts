import type { Milliseconds } from '../units.ts'

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
  close(): Promise<void>
}
