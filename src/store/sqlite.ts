import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { Kysely, sql } from 'kysely'
import { ForgotError } from '../errors.ts'
import { type Dialect, type Place, plainColumn } from './dialect.ts'
import { remedyFor } from './driver.ts'
import { Engine, unusable } from './engine.ts'
import { BlockingDialect, DirectSqlite } from './sqlite-driver.ts'

/**
 * Opens the SQLite file of a `sqlite:<file>` URL for this module's own tables: the file and its folder are
 * made where there are none.
 *
 * @throws {ForgotError} `ERR_FORGOT_STORE` when it cannot be opened.
 */
export function openOwnSqlite<Tables>(url: string): Engine<Tables> {
  return open({ key: 'store.url', name: fileOf(url), code: 'ERR_FORGOT_STORE' }, openOwn)
}

/**
 * Opens a database that belongs to the site, as it is.
 *
 * @throws {ForgotError} `ERR_FORGOT_USERS` when it is not there or cannot be opened.
 */
export function openSiteSqlite<Tables>(url: string): Engine<Tables> {
  const place: Place = { key: 'users.url', name: fileOf(url), code: 'ERR_FORGOT_USERS' }
  return open(place, (file, isThere) => {
    if (!isThere) throw new ForgotError(place.code, `${place.key}: there is no file ${file}`)
    return new Database(file, { fileMustExist: true })
  })
}

function open<Tables>(
  place: Place,
  connect: (file: string, isThere: boolean) => Database.Database,
): Engine<Tables> {
  const { key, name, code } = place
  try {
    const found = statSync(name, { throwIfNoEntry: false })
    if (found?.isDirectory()) {
      throw new ForgotError(code, `${key}: ${name} is a folder; name a file in it`)
    }
    const connection = connect(name, found !== undefined)
    // better-sqlite3 waits for a lock by stopping the whole process; the engine waits instead.
    connection.pragma('busy_timeout = 0')
    const database = new Kysely<Tables>({ dialect: new BlockingDialect(connection) })
    return new Engine(database, dialect, place, new DirectSqlite(connection))
  } catch (error) {
    if (error instanceof ForgotError) throw error
    throw unusable(place, 'cannot be opened', error, remedyFor(remedies, error))
  }
}

function openOwn(file: string, isThere: boolean): Database.Database {
  if (!isThere) mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const connection = new Database(file)
  // Its write-ahead log and index take the mode of the file.
  if (!isThere) chmodSync(file, 0o600)
  connection.pragma('journal_mode = WAL')
  // A request that was answered survives a power cut.
  connection.pragma('synchronous = FULL')
  connection.pragma('secure_delete = ON')
  // Upkeep empties the log before it is so long; the usual quarter of it would be emptied by requests.
  connection.pragma('wal_autocheckpoint = 4000')
  connection.pragma('trusted_schema = OFF')
  // Damage that nobody meets today would be met by a visitor tomorrow.
  const found = isThere ? connection.pragma('quick_check(1)', { simple: true }) : 'ok'
  if (found !== 'ok') throw Object.assign(new Error(String(found)), { code: 'SQLITE_CORRUPT' })
  return connection
}

function fileOf(url: string): string {
  return url.slice('sqlite:'.length)
}

const dialect: Dialect = {
  timeType: 'integer',
  keyType: 'text',
  textCast: 'text',
  tableOptions: 'strict',
  hasRowLocks: false,
  turns: null,
  hasOnConflict: true,
  hasIndexesOfTables: false,
  isDone: () => false,
  isSame: (expression, text) => sql`${expression} = ${text}`,
  textColumn: async (_database, _table, column) => plainColumn(column),
  // All transactions of a file go one after the other.
  async takeTurns() {},
  judge: (error) => {
    if (!(error instanceof Database.SqliteError)) return null
    return /^SQLITE_(?:BUSY|LOCKED|PROTOCOL)/.test(error.code) ? 'busy' : 'fault'
  },
  remedy: (error) => remedyFor(remedies, error),
  async tables(database) {
    const query = sql<{ name: string }>`select name from sqlite_schema
      where type in ('table', 'view') and name not like 'sqlite!_%' escape '!' order by name`
    return (await query.execute(database)).rows.map((row) => row.name)
  },
  async columns(database, table) {
    const [name, schema = null] = table.split('.').reverse()
    // Its columns are the visible and the generated ones; table_info would leave out the latter.
    const query = sql<{ name: string }>`
      select name from pragma_table_xinfo(${name}, ${schema}) where hidden <> 1 order by cid`
    return (await query.execute(database)).rows.map((row) => row.name)
  },
  now: async () => null,
  async settle(database) {
    await sql`pragma wal_checkpoint(passive)`.execute(database)
  },
  async forget(database) {
    await sql`pragma wal_checkpoint(truncate)`.execute(database)
  },
  async touch(database) {
    // An update of no rows would not do: SQLite asks for its journal only when a page is written.
    const { rows } = await sql<{ user_version: number }>`pragma user_version`.execute(database)
    await sql`pragma user_version = ${sql.lit(rows[0]?.user_version ?? 0)}`.execute(database)
  },
}

/** By SQLite's code, or the system's with its call. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/ mkdir$/, 'make that folder, writable for this user, or name another file'],
  [
    /^(?:SQLITE_(?:READONLY|CANTOPEN|PERM)|EACCES|EPERM|EROFS)/,
    'make the file and its folder writable for this user',
  ],
  [/^SQLITE_NOTADB/, 'name an SQLite database'],
  [/^SQLITE_CORRUPT/, 'restore it from a backup'],
  [/^(?:SQLITE_FULL|ENOSPC|EDQUOT)/, 'make room on its disk'],
  [/^SQLITE_BUSY/, 'try again when no other process keeps it to itself'],
]
