/** What one client may do only so often. */
export type LimitedAct = 'request' | 'bad-proof'

/** Counts what clients do. */
export interface Limiter {
  /**
   * Counts one act. The answer is how many milliseconds the client has to wait, or 0 when the act was
   * within its limit.
   *
   * @param client A key that stands for the client, such as a MAC of its network.
   */
  take(act: LimitedAct, client: string): Promise<number>
}
