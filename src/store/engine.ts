import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { ForgotError } from '../errors.ts'

/** One SQL engine, opened: what the store and the user table need to know of it. */
export interface Engine {
  // biome-ignore lint/suspicious/noExplicitAny: each user of an engine has tables of its own
  readonly database: Kysely<any>
  /** The column type that holds milliseconds since the Unix epoch. */
  readonly timeType: 'integer' | 'bigint'
  /** What ends a CREATE TABLE so that the engine checks the types of its columns. */
  readonly tableOptions: string
  /**
   * What kind of failure an error is: `busy` when only another writer was at work, `fault` when the engine
   * could not do its work, and `null` when the error is not the engine's.
   */
  judge(error: unknown): 'busy' | 'fault' | null
  close(): Promise<void>
}

// Z13: waiting for other writers ends after 5 s, and the request is told to come back.
const patienceMs = 5000
const longestPauseMs = 50

/**
 * Runs a statement or a whole transaction, again while another writer is in its way. The waiting is done
 * here, in short pauses, since an engine that waits by itself would stop every other request meanwhile.
 *
 * @throws {ForgotError} `ERR_FORGOT_BUSY` after 5 seconds; `ERR_FORGOT_STORE` when the database fails.
 */
export async function whenFree<T>(engine: Engine, work: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + patienceMs
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return await work()
    } catch (error) {
      const kind = engine.judge(error)
      if (kind === null) throw error
      if (kind === 'fault' || performance.now() > giveUpAt) throw failure(kind, error)
    }
    await sleep(pauseMs * (0.5 + Math.random()))
  }
}

function failure(kind: 'busy' | 'fault', cause: unknown): ForgotError {
  return kind === 'busy'
    ? new ForgotError('ERR_FORGOT_BUSY', 'The database is held by another writer', { cause })
    : new ForgotError('ERR_FORGOT_STORE', 'The database has failed', { cause })
}
