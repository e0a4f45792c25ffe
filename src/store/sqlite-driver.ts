import type Database from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
  type SqliteStatement,
} from 'kysely'

/** The connection with each statement prepared once: Kysely asks for the same few again and again. */
function cached(connection: Database.Database): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>()
  return {
    close: () => connection.close(),
    prepare(text) {
      let statement = statements.get(text)
      if (statement === undefined) {
        statement = connection.prepare<unknown[]>(text) as SqliteStatement
        statements.set(text, statement)
      }
      return statement
    },
  }
}

/** Kysely on one connection that answers at once, and keeps everything else waiting meanwhile. */
export class BlockingDialect extends SqliteDialect {
  readonly #connection: Database.Database

  constructor(connection: Database.Database) {
    super({ database: connection })
    this.#connection = connection
  }

  override createDriver(): Driver {
    return new ImmediateDriver(this.#connection)
  }

  override createAdapter(): DialectAdapter {
    return new TransactionalAdapter()
  }
}

/** Takes the write lock when a transaction begins: one that must upgrade later could only fail. */
class ImmediateDriver extends SqliteDriver {
  readonly #connection: Database.Database

  constructor(connection: Database.Database) {
    super({ database: cached(connection) })
    this.#connection = connection
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }

  /** SQLite rolls back by itself when its disk is full: to ask again would hide that behind another error. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#connection.inTransaction) await super.rollbackTransaction(connection)
  }
}

/** SQLite changes its schema within transactions, so an interrupted migration leaves nothing behind. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}
