import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import { ForgotError } from '../errors.ts'
import type { Dialect, Place } from './dialect.ts'
import { type Direct, setDirect } from './direct.ts'
import { patienceMs } from './driver.ts'
import { SharedCommits } from './shared-commits.ts'

const longestPauseMs = 8

/**
 * One opened database. Statements and transactions run again while another writer is in their way: the
 * waiting is done here, in short pauses, since an engine that waits by itself would stop every other
 * request meanwhile.
 */
export class Engine<Tables> {
  readonly dialect: Dialect
  readonly place: Place
  readonly #database: Kysely<Tables>
  readonly #direct: Direct | null
  readonly #commits: SharedCommits<Tables> | null

  /** @param direct The only connection, where it answers at once; default: Kysely finds one. */
  constructor(
    database: Kysely<Tables>,
    dialect: Dialect,
    place: Place,
    direct: Direct | null = null,
  ) {
    this.#database = database
    this.#direct = direct
    if (direct !== null) setDirect(database, direct)
    this.dialect = dialect
    this.place = place
    this.#commits = dialect.hasRowLocks
      ? null
      : new SharedCommits((work, since) => this.#transact(work, since))
  }

  /**
   * Runs one statement, or work that is whole in itself.
   *
   * @throws {ForgotError} `ERR_FORGOT_BUSY` after 5 seconds; the engine's own code when it fails.
   */
  run<T>(work: (database: Kysely<Tables>) => Promise<T>): Promise<T> {
    return this.#persist(work, performance.now())
  }

  /** Runs one statement that writes, with others that come at the same time where that is quicker. */
  write<T>(work: (database: Kysely<Tables>) => Promise<T>): Promise<T> {
    return this.#commits === null ? this.run(work) : this.#commits.add(work)
  }

  /**
   * Runs a whole transaction, like {@link run}. What it does must be right when it is done a second time: it
   * is, when a connection breaks at its end.
   *
   * @param turns Transactions that share one go one after the other; default: this one waits for none.
   */
  transaction<T>(
    work: (tables: Transaction<Tables>) => Promise<T>,
    turns: readonly string[] = [],
  ): Promise<T> {
    if (this.#commits !== null) return this.#commits.add(work)
    return this.#transact(async (tables) => {
      await this.dialect.takeTurns(tables, turns)
      return work(tables)
    }, performance.now())
  }

  #transact<T>(work: (tables: Transaction<Tables>) => Promise<T>, since: number): Promise<T> {
    const direct = this.#direct
    const inside = (tables: Transaction<Tables>) => {
      if (direct !== null) setDirect(tables, direct)
      return work(tables)
    }
    return this.#persist((database) => database.transaction().execute(inside), since)
  }

  /** @param since When whoever waits for it has begun to. */
  async #persist<T>(work: (database: Kysely<Tables>) => Promise<T>, since: number): Promise<T> {
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await work(this.#database)
      } catch (error) {
        const kind = this.dialect.judge(error)
        if (kind === null) throw error
        if (kind === 'fault') throw this.#fault(error)
        if (performance.now() > since + patienceMs) throw this.#busy(error)
      }
      await sleep(pauseMs * (0.5 + Math.random()))
    }
  }

  /** Runs a whole transaction and takes it back: it fails as it would, and nothing changes. */
  async rehearse(work: (tables: Transaction<Tables>) => Promise<unknown>): Promise<void> {
    const undo = new Error('A rehearsal is taken back')
    try {
      await this.transaction(async (tables) => {
        await work(tables)
        throw undo
      })
    } catch (error) {
      if (error !== undo) throw error
    }
  }

  /**
   * Finds out by a rehearsal whether this process may write at all.
   *
   * @throws {ForgotError} the engine's own code when it may not; `ERR_FORGOT_BUSY` like {@link run}.
   */
  async checkWritable(): Promise<void> {
    try {
      await this.rehearse((tables) => this.dialect.touch(tables))
    } catch (error) {
      throw isBusy(error) ? error : this.unusable('cannot be written', error)
    }
  }

  /**
   * The error for a database that is of no use as it is, with what to do about it.
   *
   * @param remedy For what the engine itself knows no remedy.
   */
  unusable(fault: string, error: unknown, remedy: string | null = null): ForgotError {
    const cause = causeOf(error)
    return unusable(this.place, fault, cause, this.dialect.remedy(cause) ?? remedy)
  }

  close(): Promise<void> {
    return this.#database.destroy()
  }

  // Without the engine's words: while requests are served they could repeat what a visitor typed.
  #fault(cause: unknown): ForgotError {
    const { key, name, code } = this.place
    return new ForgotError(code, `${key}: ${name} has failed`, { cause })
  }

  #busy(cause: unknown): ForgotError {
    const { key, name } = this.place
    return new ForgotError('ERR_FORGOT_BUSY', `${key}: ${name} is held by another writer`, {
      cause,
    })
  }
}

/** `store.url: /data/store.db cannot be opened: <why>; <remedy>` */
export function unusable(
  { key, name, code }: Place,
  fault: string,
  cause: unknown,
  remedy: string | null,
): ForgotError {
  const advice = remedy === null ? '' : `; ${remedy}`
  const message = `${key}: ${name} ${fault}: ${reasonOf(cause)}${advice}`
  return new ForgotError(code, message, { cause })
}

/** Why a statement has failed, in the words of the database. */
export function reasonOf(error: unknown): string {
  const cause = causeOf(error)
  return cause instanceof Error ? cause.message : String(cause)
}

/** Whether a database has failed only because another writer was at work. */
export function isBusy(error: unknown): boolean {
  return error instanceof ForgotError && error.code === 'ERR_FORGOT_BUSY'
}

/** The driver's own error, out of the one that an engine makes of it. */
function causeOf(error: unknown): unknown {
  return error instanceof ForgotError ? (error.cause ?? error) : error
}
