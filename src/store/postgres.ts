import { Kysely, PostgresDialect, type QueryExecutorProvider, sql } from 'kysely'
import type { Pool } from 'pg'
import { type Dialect, type Place, plainColumn } from './dialect.ts'
import { loadDriver, mostConnections, patienceMs, remedyFor } from './driver.ts'
import { Engine, unusable } from './engine.ts'

interface Postgres<Tables> {
  readonly engine: Engine<Tables>
  readonly pool: Pool
}

/**
 * Connects to a PostgreSQL database.
 *
 * @throws {ForgotError} the place's code when the driver is not installed or nobody answers.
 */
export async function openPostgres<Tables>(url: string, place: Place): Promise<Postgres<Tables>> {
  const driver = await loadDriver<Driver>('PostgreSQL', 'pg', place)
  const pool = new driver.Pool({
    connectionString: url,
    application_name: 'fastify-forgot-password',
    max: mostConnections,
    connectionTimeoutMillis: patienceMs,
    lock_timeout: patienceMs,
    // It counts what is waited for locks too: were it to end first, waiting would be taken for a fault.
    statement_timeout: patienceMs + 1000,
    idle_in_transaction_session_timeout: 2 * patienceMs,
    // A time in milliseconds is a bigint, which the driver would hand over as text.
    types: { getTypeParser: (oid, format) => parserOf(driver, oid, format) },
  })
  // Whatever is under way on a connection that breaks is told so by its own statement.
  const ignore = () => {}
  pool.on('error', ignore)
  pool.on('connect', (client) => client.on('error', ignore))
  const engine = new Engine<Tables>(
    new Kysely({ dialect: new PostgresDialect({ pool }) }),
    dialect,
    place,
  )
  try {
    await pool.query('select 1')
  } catch (error) {
    await engine.close()
    throw unusable(place, 'cannot be opened', error, dialect.remedy(error))
  }
  return { engine, pool }
}

type Driver = typeof import('pg')

const bigintOid = 20

function parserOf({ types }: Driver, oid: number, format: 'text' | 'binary' = 'text') {
  return oid === bigintOid ? Number : types.getTypeParser(oid, format)
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const busyCodes =
  /^(?:40001|40P01|55P03|53300|57P0[123]|08...|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|25006)$/
const lostConnection =
  /^(?:Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect)/

const dialect: Dialect = {
  timeType: 'bigint',
  keyType: 'text',
  textCast: 'text',
  tableOptions: '',
  hasRowLocks: true,
  turns: null,
  hasOnConflict: true,
  hasIndexesOfTables: false,
  isDone: () => false,
  isSame: (expression, text) => sql`${expression} = ${text}`,
  textColumn: async (_database, _table, column) => plainColumn(column),
  judge(error) {
    const { code = '', message = '' } = error as NodeJS.ErrnoException
    // A server that restarts, or hands over to another, is back within seconds.
    if (busyCodes.test(code) || lostConnection.test(message)) return 'busy'
    return /^[0-9A-Z]{5}$/.test(code) ? 'fault' : null
  },
  remedy: (error) => remedyFor(remedies, error),
  async takeTurns(database, turns) {
    // In one order, so that two never wait for each other.
    for (const turn of turns.toSorted()) {
      const lock = sql`select pg_advisory_xact_lock(hashtextextended(${turn}, 0)), ${lessPatience}`
      await lock.execute(database)
    }
  },
  async tables(database) {
    const query = sql<{
      name: string
    }>`select case when table_schema = current_schema() then table_name
        else table_schema || '.' || table_name end as name
      from information_schema.tables
      where table_schema not in ('pg_catalog', 'information_schema') order by 1`
    return (await query.execute(database)).rows.map((row) => row.name)
  },
  async columns(database, table) {
    const [name, schema = null] = table.split('.').reverse()
    const query = sql<{ name: string }>`select column_name as name from information_schema.columns
      where table_name = ${name} and table_schema = coalesce(${schema}::text, current_schema())
      order by ordinal_position`
    return (await query.execute(database)).rows.map((row) => row.name)
  },
  async settle() {},
  async forget() {},
  async now(database) {
    const query = sql<{ now: string }>`select extract(epoch from clock_timestamp()) * 1000 as now`
    return Number((await query.execute(database)).rows[0]?.now)
  },
  async touch(database) {
    // One that only follows another would refuse the first request instead of the start.
    const { rows } = await readOnly.execute(database as QueryExecutorProvider)
    if (rows[0]?.value === 'on') throw new Error('it can only be read')
  },
}

// Z13: who has waited for its turn waits for tables and rows only for what is left of its five seconds.
const lessPatience = sql`set_config('lock_timeout', greatest(1,
  ${patienceMs} - extract(epoch from clock_timestamp() - now()) * 1000)::int::text, true)`

const readOnly = sql<{ value: string }>`select current_setting('transaction_read_only') as value`

/** By PostgreSQL's code, or the system's. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/^28/, 'check the user and the password in its URL'],
  [/^3D000$/, 'make the database, or name another one in its URL'],
  [/^42501$/, 'grant its user what is missing'],
  [
    /^(?:ECONNREFUSED|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH)\b/,
    'check the host and the port in its URL',
  ],
  [/^53/, 'let it take more connections, or make room on its disk'],
]
