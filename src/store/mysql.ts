import { createHash } from 'node:crypto'
import {
  Kysely,
  MysqlDialect,
  type MysqlPool,
  type QueryExecutorProvider,
  type RawBuilder,
  type SqlBool,
  sql,
} from 'kysely'
import type { Dialect, Place } from './dialect.ts'
import { loadDriver, mostConnections, patienceMs, remedyFor } from './driver.ts'
import { Engine, unusable } from './engine.ts'
import { prepared } from './mysql-pool.ts'

interface Mysql<Tables> {
  readonly engine: Engine<Tables>
  readonly pool: MysqlPool
}

/**
 * Connects to a MySQL (8.0.13 or later) or MariaDB (10.6 or later) database.
 *
 * @param turnTable The table that transactions take turns by; `null` where none has to.
 * @throws {ForgotError} the place's code when the driver is not installed or nobody answers.
 */
export async function openMysql<Tables>(
  url: string,
  place: Place,
  turnTable: string | null,
): Promise<Mysql<Tables>> {
  const driver = await loadDriver<typeof import('mysql2')>('MySQL', 'mysql2', place)
  const pool = prepared(
    driver.createPool({
      uri: url.replace(/^mariadb:/, 'mysql:'),
      connectionLimit: mostConnections,
      connectTimeout: patienceMs,
      charset: 'UTF8MB4_BIN',
      // A parameter is text whatever it came from, and never a piece of SQL.
      stringifyObjects: true,
    }),
  )
  const engine = new Engine<Tables>(
    new Kysely({ dialect: new MysqlDialect({ pool }) }),
    dialect(turnTable),
    place,
  )
  try {
    await engine.run((database) => sql`select 1`.execute(database))
  } catch (error) {
    await engine.close()
    throw unusable(place, 'cannot be opened', reason(error), remedyFor(remedies, reason(error)))
  }
  return { engine, pool }
}

/** The driver's own error. */
function reason(error: unknown): unknown {
  return (error as Error).cause ?? error
}

// https://mariadb.com/docs/server/reference/error-codes and the same names in MySQL: 1927 is a killed connection, 1969 a
// statement that took too long. Then the system's codes.
const busyCodes =
  /^(?:ER_(?:LOCK_DEADLOCK|LOCK_WAIT_TIMEOUT|CON_COUNT_ERROR|TOO_MANY_USER_CONNECTIONS|SERVER_SHUTDOWN|CONNECTION_KILLED|QUERY_INTERRUPTED|QUERY_TIMEOUT|1927|1969|OPTION_PREVENTS_STATEMENT|CHECKREAD|NEW_ABORTING_CONNECTION)|PROTOCOL_(?:CONNECTION_LOST|SEQUENCE_TIMEOUT)|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT)$/
const lostConnection = /connection is in closed state|Connection lost/i

// Enough that two addresses seldom meet.
const turnCount = 256

function dialect(turnTable: string | null): Dialect {
  return {
    turns: turnTable === null ? null : { table: turnTable, count: turnCount },
    timeType: 'bigint',
    keyType: 'varchar(255)',
    textCast: 'char',
    tableOptions: 'engine = InnoDB default character set utf8mb4 collate utf8mb4_bin',
    hasRowLocks: true,
    hasOnConflict: false,
    hasIndexesOfTables: true,
    isDone: (error) =>
      /^ER_(?:TABLE_EXISTS_ERROR|DUP_KEYNAME|CANT_DROP_FIELD_OR_KEY)$/.test(codeOf(error)),
    judge(error) {
      const code = codeOf(error)
      const { message = '' } = error as Error
      if (busyCodes.test(code) || lostConnection.test(message)) return 'busy'
      return /^(?:ER_|PROTOCOL_|WARN_)/.test(code) ? 'fault' : null
    },
    remedy: (error) => remedyFor(remedies, error),
    async takeTurns(database, turns) {
      // Rows and not named locks: these end with a transaction, and every node of a cluster knows of them.
      for (const slot of slotsOf(turns)) {
        if (turnTable === null) throw new Error('A database without turns was asked for one')
        const table = sql.table(turnTable)
        await sql`update ${table} set taken = taken + 1 where slot = ${slot}`.execute(database)
      }
    },
    ...names,
    ...comparisons,
    async settle() {},
    async forget() {},
    async now(database) {
      const query = sql<{ now: string }>`select unix_timestamp(sysdate(3)) * 1000 as now`
      return Number((await query.execute(database)).rows[0]?.now)
    },
    async touch(database) {
      const { rows } = await readOnly.execute(database as QueryExecutorProvider)
      if (rows[0]?.value === 1) throw new Error('it can only be read')
    },
  }
}

const readOnly = sql<{ value: number }>`select @@global.read_only as value`

/** In one order, so that two transactions never wait for each other. */
function slotsOf(turns: readonly string[]): readonly number[] {
  const slots = turns.map((turn) => createHash('sha256').update(turn).digest()[0] ?? 0)
  return [...new Set(slots)].sort((one, other) => one - other)
}

const names: Pick<Dialect, 'tables' | 'columns'> = {
  async tables(database) {
    const query = sql<{
      name: string
    }>`select if(table_schema = database(), table_name, concat(table_schema, '.', table_name)) as name
      from information_schema.tables
      where table_schema not in ('mysql', 'information_schema', 'performance_schema', 'sys') order by 1`
    return (await query.execute(database)).rows.map((row) => row.name)
  },
  async columns(database, table) {
    const [name, schema = null] = table.split('.').reverse()
    const query = sql<{ name: string }>`select column_name as name from information_schema.columns
      where table_name = ${name} and table_schema = coalesce(${schema}, database())
      order by ordinal_position`
    return (await query.execute(database)).rows.map((row) => row.name)
  },
}

const comparisons: Pick<Dialect, 'isSame' | 'textColumn'> = {
  isSame,
  async textColumn(database, table, column) {
    const [name, schema = null] = table.split('.').reverse()
    const query = sql<Partial<Record<'charset' | 'collation', string | null>>>`
      select character_set_name as charset, collation_name as collation
      from information_schema.columns where table_name = ${name} and column_name = ${column}
      and table_schema = coalesce(${schema}, database())`
    const [found] = (await query.execute(database)).rows
    const ref = sql.ref(column)
    const isFolding = found?.collation?.endsWith('_ci') === true
    // What the column's character set lacks becomes a question mark, which is not the same.
    const charset = sql.raw(found?.charset ?? 'utf8mb4')
    const converted = (text: string) => sql`convert(${text} using ${charset})`
    // The usual collations take ı for i and é for e: what an index finds is compared again.
    return {
      is: (text) => sql`(${ref} = ${converted(text)} and ${isSame(ref, text)})`,
      isFolded: (text) => sql`(${isFolding ? ref : sql`lower(${ref})`} = ${converted(text)}
        and ${isSame(sql`lower(${ref})`, text)})`,
    }
  },
}

function isSame(expression: RawBuilder<unknown>, text: string): RawBuilder<SqlBool> {
  return sql`cast(convert(${expression} using utf8mb4) as binary) = cast(${text} as binary)`
}

/** By the server's code, or the system's. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/^ER_ACCESS_DENIED/, 'check the user and the password in its URL'],
  [/^ER_BAD_DB_ERROR$/, 'make the database, or name another one in its URL'],
  [/^ER_(?:DBACCESS|TABLEACCESS|COLUMNACCESS)_DENIED/, 'grant its user what is missing'],
  [
    /^(?:ECONNREFUSED|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH)\b/,
    'check the host and the port in its URL',
  ],
  [/^ER_(?:CON_COUNT_ERROR|TOO_MANY_USER_CONNECTIONS)$/, 'let it take more connections'],
  [/^ER_(?:DISK_FULL|RECORD_FILE_FULL)$/, 'make room on its disk'],
]

/** The driver knows no names for what MariaDB alone has. */
function codeOf(error: unknown): string {
  const { code, errno } = error as NodeJS.ErrnoException
  return code ?? (errno === undefined ? '' : `ER_${errno}`)
}
