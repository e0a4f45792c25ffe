import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import { ForgotError, type ForgotErrorCode } from '../errors.ts'

/** What differs between SQL engines. */
export interface Dialect {
  /** The column type that holds milliseconds since the Unix epoch. */
  readonly timeType: 'integer' | 'bigint'
  /** What ends a CREATE TABLE so that the engine checks the types of its columns. */
  readonly tableOptions: string
  /**
   * What kind of failure an error is: `busy` when only another writer was at work, `fault` when the engine
   * could not do its work, and `null` when the error is not the engine's.
   */
  judge(error: unknown): 'busy' | 'fault' | null
}

// Z13: waiting for other writers ends after 5 s, and the request is told to come back.
const patienceMs = 5000
const longestPauseMs = 50

/**
 * One opened database. Statements and transactions run again while another writer is in their way: the
 * waiting is done here, in short pauses, since an engine that waits by itself would stop every other
 * request meanwhile.
 */
export class Engine<Tables> {
  readonly dialect: Dialect
  readonly #database: Kysely<Tables>
  readonly #faultCode: ForgotErrorCode

  /** @param faultCode The code of the error that a failing database causes. */
  constructor(database: Kysely<Tables>, dialect: Dialect, faultCode: ForgotErrorCode) {
    this.#database = database
    this.dialect = dialect
    this.#faultCode = faultCode
  }

  /**
   * Runs one statement, or work that is whole in itself.
   *
   * @throws {ForgotError} `ERR_FORGOT_BUSY` after 5 seconds; the engine's own code when it fails.
   */
  async run<T>(work: (database: Kysely<Tables>) => Promise<T>): Promise<T> {
    const giveUpAt = performance.now() + patienceMs
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await work(this.#database)
      } catch (error) {
        const kind = this.dialect.judge(error)
        if (kind === null) throw error
        if (kind === 'fault') throw this.#fault(error)
        if (performance.now() > giveUpAt) throw busy(error)
      }
      await sleep(pauseMs * (0.5 + Math.random()))
    }
  }

  /** Runs a whole transaction, like {@link run}. */
  transaction<T>(work: (tables: Transaction<Tables>) => Promise<T>): Promise<T> {
    return this.run((database) => database.transaction().execute(work))
  }

  close(): Promise<void> {
    return this.#database.destroy()
  }

  #fault(cause: unknown): ForgotError {
    return new ForgotError(this.#faultCode, 'The database has failed', { cause })
  }
}

function busy(cause: unknown): ForgotError {
  return new ForgotError('ERR_FORGOT_BUSY', 'The database is held by another writer', { cause })
}
