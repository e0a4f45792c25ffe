import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type DialectAdapter,
  type Driver,
  Kysely,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
  type SqliteStatement,
} from 'kysely'
import { ForgotError } from '../errors.ts'
import type { Engine } from './engine.ts'

/**
 * Opens the SQLite file of a `sqlite:<file>` URL.
 *
 * @param mode `own` makes the file and its folder and sets them up for this module; `foreign` opens a
 *   database that belongs to the site, as it is.
 * @throws {ForgotError} `ERR_FORGOT_STORE` when it cannot be opened.
 */
export function openSqlite(url: string, mode: 'own' | 'foreign'): Engine {
  const file = url.slice('sqlite:'.length)
  const connection = mode === 'own' ? openOwn(file) : openForeign(file)
  // better-sqlite3 waits for a lock by stopping the whole process; `whenFree` waits instead.
  connection.pragma('busy_timeout = 0')
  const database = new Kysely<never>({ dialect: new Dialect({ database: cached(connection) }) })
  return {
    database,
    timeType: 'integer',
    tableOptions: 'strict',
    judge: (error) => {
      if (!(error instanceof Database.SqliteError)) return null
      return error.code.startsWith('SQLITE_BUSY') ? 'busy' : 'fault'
    },
    close: () => database.destroy(),
  }
}

function openOwn(file: string): Database.Database {
  try {
    const isNew = file !== ':memory:' && !existsSync(file)
    if (isNew) mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const connection = new Database(file)
    // Its write-ahead log and index take the mode of the file.
    if (isNew) chmodSync(file, 0o600)
    connection.pragma('journal_mode = WAL')
    // A request that was answered survives a power cut.
    connection.pragma('synchronous = FULL')
    connection.pragma('secure_delete = ON')
    connection.pragma('trusted_schema = OFF')
    return connection
  } catch (error) {
    throw cannotOpen(file, error)
  }
}

function openForeign(file: string): Database.Database {
  try {
    return new Database(file, { fileMustExist: true })
  } catch (error) {
    throw cannotOpen(file, error)
  }
}

function cannotOpen(file: string, cause: unknown): ForgotError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ForgotError(
    'ERR_FORGOT_STORE',
    `The SQLite database ${file} cannot be opened: ${why}`,
    {
      cause,
    },
  )
}

/** The connection with each statement prepared once: Kysely asks for the same few again and again. */
function cached(connection: Database.Database): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>()
  return {
    close: () => connection.close(),
    prepare(sql) {
      let statement = statements.get(sql)
      if (statement === undefined) {
        statement = connection.prepare<unknown[]>(sql) as SqliteStatement
        statements.set(sql, statement)
      }
      return statement
    },
  }
}

class Dialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig

  constructor(config: SqliteDialectConfig) {
    super(config)
    this.#config = config
  }

  override createDriver(): Driver {
    return new ImmediateDriver(this.#config)
  }

  override createAdapter(): DialectAdapter {
    return new TransactionalAdapter()
  }
}

/** Takes the write lock when a transaction begins: one that must upgrade later could only fail. */
class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'))
  }
}

/** SQLite changes its schema within transactions, so an interrupted migration leaves nothing behind. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}
