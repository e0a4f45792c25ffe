import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Kysely,
  type QueryExecutorProvider,
  type RawBuilder,
  type SqlBool,
  sql,
  type Transaction,
} from 'kysely'
import { ForgotError, type ForgotErrorCode } from '../errors.ts'

/** What differs between SQL engines. */
export interface Dialect {
  /** The column type that holds milliseconds since the Unix epoch. */
  readonly timeType: 'integer' | 'bigint'
  /** The column type of text that rows are found by; it tells letter case apart. */
  readonly keyType: 'text' | 'varchar(255)'
  /** What a value of any type is cast to, to be read as text. */
  readonly textCast: 'text' | 'char'
  /** What ends a CREATE TABLE so that the engine checks the types of its columns. */
  readonly tableOptions: string
  /** Whether rows are locked one by one: then a statement must say that it takes what nobody else has. */
  readonly hasRowLocks: boolean
  /** Whether an error says that what was to be made is there: where a schema changes outside of transactions. */
  isMade(error: unknown): boolean
  /** A condition that two texts are the same, byte for byte. */
  isSame(expression: RawBuilder<unknown>, text: string): RawBuilder<SqlBool>
  /** How to look for text in a column that belongs to the site, whatever that takes for the same. */
  textColumn(database: QueryExecutorProvider, table: string, column: string): Promise<TextColumn>
  /**
   * What kind of failure an error is: `busy` when only another writer was at work, `fault` when the engine
   * could not do its work, and `null` when the error is not the engine's.
   */
  judge(error: unknown): 'busy' | 'fault' | null
  /** The table by which transactions take turns, and how many rows it has; `null`: the engine has a better way. */
  readonly turns: { readonly table: string; readonly count: number } | null
  /** Has a transaction wait until no other is under way that takes any of the same turns. */
  takeTurns(database: QueryExecutorProvider, turns: readonly string[]): Promise<void>
  /** What the owner can do about an error, or `null` when its own message says it all. */
  remedy(error: unknown): string | null
  /** The names of all tables and views, as a configuration would write them. */
  tables(database: QueryExecutorProvider): Promise<readonly string[]>
  /** The names of the columns of one table or view, which must be there. */
  columns(database: QueryExecutorProvider, table: string): Promise<readonly string[]>
  /** Lets go of what was deleted, where the engine keeps a log of its writes; what is in use may stay. */
  forget(database: QueryExecutorProvider): Promise<void>
  /** Writes what stands there already: it fails where nothing can be written. */
  touch(database: QueryExecutorProvider): Promise<void>
}

/** Conditions on a column of text, such that an index answers them where there is one. */
export interface TextColumn {
  /** It has this very text. */
  is(text: string): RawBuilder<SqlBool>
  /** It has this text, which is in lower case, but for the case of its letters. */
  isFolded(text: string): RawBuilder<SqlBool>
}

/** A column of an engine that takes text for what it is. */
export function plainColumn(name: string): TextColumn {
  const column = sql.ref(name)
  return {
    is: (text) => sql`${column} = ${text}`,
    isFolded: (text) => sql`lower(${column}) = ${text}`,
  }
}

/** A database as its owner knows it. */
export interface Place {
  /** The key of the configuration that names it. */
  readonly key: string
  /** Where it is, without what is secret in its URL. */
  readonly name: string
  /** The code of the errors that it causes. */
  readonly code: ForgotErrorCode
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
  readonly place: Place
  readonly #database: Kysely<Tables>

  constructor(database: Kysely<Tables>, dialect: Dialect, place: Place) {
    this.#database = database
    this.dialect = dialect
    this.place = place
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
        if (performance.now() > giveUpAt) throw this.#busy(error)
      }
      await sleep(pauseMs * (0.5 + Math.random()))
    }
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
    return this.run((database) =>
      database.transaction().execute(async (tables) => {
        await this.dialect.takeTurns(tables, turns)
        return work(tables)
      }),
    )
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
