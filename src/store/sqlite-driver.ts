import type Database from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
  SqliteQueryCompiler,
  type SqliteStatement,
} from 'kysely'
import type { Direct } from './direct.ts'

/** The connection with each statement prepared once: the same few are asked for again and again. */
class CachedConnection implements SqliteDatabase {
  readonly #connection: Database.Database
  readonly #statements = new Map<string, SqliteStatement>()

  constructor(connection: Database.Database) {
    this.#connection = connection
  }

  close(): void {
    this.#connection.close()
  }

  prepare(text: string): SqliteStatement {
    let statement = this.#statements.get(text)
    if (statement === undefined) {
      statement = this.#connection.prepare<unknown[]>(text) as SqliteStatement
      this.#statements.set(text, statement)
    }
    return statement
  }
}

/** Statements executed without Kysely in between. */
export class DirectSqlite implements Direct {
  readonly #connection: Database.Database
  readonly #cached: CachedConnection

  constructor(connection: Database.Database) {
    this.#connection = connection
    this.#cached = new CachedConnection(connection)
  }

  get isTaken(): boolean {
    return this.#connection.inTransaction
  }

  execute<Row>({ sql, parameters }: CompiledQuery<Row>): QueryResult<Row> {
    const statement = this.#cached.prepare(sql)
    if (statement.reader) return { rows: statement.all(parameters) as Row[] }
    const { changes } = statement.run(parameters)
    return { rows: [], numAffectedRows: BigInt(changes) }
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

  override createQueryCompiler(): QueryCompiler {
    return new StableCompiler()
  }

  override createAdapter(): DialectAdapter {
    return new TransactionalAdapter()
  }
}

/**
 * Has SQLite keep the plan of a statement. Built as it is here, with statistics (SQLITE_ENABLE_STAT4), it would plan
 * some of them anew for each value they are given, in case another were better for that one: it takes ten times as
 * long as to run them. Of what is no bare parameter it does not know the value.
 */
class StableCompiler extends SqliteQueryCompiler {
  protected override getCurrentParameterPlaceholder(): string {
    return '+?'
  }
}

/** Takes the write lock when a transaction begins: one that must upgrade later could only fail. */
class ImmediateDriver extends SqliteDriver {
  readonly #connection: Database.Database

  constructor(connection: Database.Database) {
    super({ database: new CachedConnection(connection) })
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
