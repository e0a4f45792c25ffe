import type { CompiledQuery, Kysely, QueryResult } from 'kysely'

/** A connection that answers at once. */
export interface Direct {
  /** Whether somebody's transaction is open on it. */
  readonly isTaken: boolean
  execute<Row>(query: CompiledQuery<Row>): QueryResult<Row>
}

const connections = new WeakMap<object, Direct>()

/** Has statements that are run on a database, or within a transaction, go straight to its connection. */
export function setDirect<Tables>(database: Kysely<Tables>, direct: Direct): void {
  connections.set(database, direct)
}

/**
 * The connection behind a database or a transaction, where a statement may be executed on it now: within a
 * transaction always, and outside while there is none. Kysely's own way to a connection, which may have to wait for
 * one, takes several times as long as SQLite does to answer.
 */
export function directOf<Tables>(database: Kysely<Tables>): Direct | null {
  const direct = connections.get(database)
  return direct === undefined || (direct.isTaken && !database.isTransaction) ? null : direct
}
