import { type QueryExecutorProvider, type RawBuilder, type SqlBool, sql } from 'kysely'
import type { ForgotErrorCode } from '../errors.ts'

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
  /**
   * Whether rows are locked one by one: then a statement must say that it takes what nobody else has. Else all
   * transactions of a file go one after the other, and those that come together share a commit.
   */
  readonly hasRowLocks: boolean
  /** Whether an insertion that finds its row there says `on conflict`; else `on duplicate key`. */
  readonly hasOnConflict: boolean
  /** Whether an index is known within its table alone. */
  readonly hasIndexesOfTables: boolean
  /**
   * Whether an error says that what was to be made is there, or what was to be dropped is not: where a schema
   * changes outside of transactions.
   */
  isDone(error: unknown): boolean
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
  /** Puts away what was written lately, where the engine keeps a log of its writes; it waits for nobody. */
  settle(database: QueryExecutorProvider): Promise<void>
  /** Lets go of what was deleted, where the engine keeps a log of its writes; what is in use may stay. */
  forget(database: QueryExecutorProvider): Promise<void>
  /** What a server's own clock says, in milliseconds since the Unix epoch; `null` where there is but one clock. */
  now(database: QueryExecutorProvider): Promise<number | null>
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
