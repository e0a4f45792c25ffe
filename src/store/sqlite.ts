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
import { ForgotError, type ForgotErrorCode } from '../errors.ts'
import { Engine, type Dialect as EngineDialect } from './engine.ts'

/**
 * Opens the SQLite file of a `sqlite:<file>` URL for this module's own tables: the file and its folder are
 * made where there are none.
 *
 * @throws {ForgotError} `ERR_FORGOT_STORE` when it cannot be opened.
 */
export function openOwnSqlite<Tables>(url: string): Engine<Tables> {
  const file = fileOf(url)
  try {
    return toEngine(openOwn(file), 'ERR_FORGOT_STORE')
  } catch (error) {
    throw cannotOpen('ERR_FORGOT_STORE', file, error)
  }
}

/**
 * Opens a database that belongs to the site, as it is.
 *
 * @throws {ForgotError} `ERR_FORGOT_USERS` when it cannot be opened.
 */
export function openSiteSqlite<Tables>(url: string): Engine<Tables> {
  const file = fileOf(url)
  try {
    return toEngine(new Database(file, { fileMustExist: true }), 'ERR_FORGOT_USERS')
  } catch (error) {
    throw cannotOpen('ERR_FORGOT_USERS', file, error)
  }
}

const dialect: EngineDialect = {
  timeType: 'integer',
  tableOptions: 'strict',
  judge: (error) => {
    if (!(error instanceof Database.SqliteError)) return null
    return /^SQLITE_(?:BUSY|LOCKED|PROTOCOL)/.test(error.code) ? 'busy' : 'fault'
  },
}

function toEngine<Tables>(connection: Database.Database, code: ForgotErrorCode): Engine<Tables> {
  // better-sqlite3 waits for a lock by stopping the whole process; the engine waits instead.
  connection.pragma('busy_timeout = 0')
  const database = new Kysely<Tables>({ dialect: new Dialect({ database: cached(connection) }) })
  return new Engine(database, dialect, code)
}

function openOwn(file: string): Database.Database {
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
}

function fileOf(url: string): string {
  return url.slice('sqlite:'.length)
}

function cannotOpen(code: ForgotErrorCode, file: string, cause: unknown): ForgotError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const message = `The SQLite database ${file} cannot be opened: ${why}`
  return new ForgotError(code, message, { cause })
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
