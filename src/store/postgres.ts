import { Kysely, PostgresDialect, type QueryExecutorProvider, sql } from 'kysely'
import type { Pool } from 'pg'
import { ForgotError } from '../errors.ts'
import { type Dialect, Engine, type Place, unusable } from './engine.ts'

export interface Postgres<Tables> {
  readonly engine: Engine<Tables>
  readonly pool: Pool
}

// A request needs one connection for some milliseconds; a thousand of them a second do with a few.
const mostConnections = 10
// Z13: whoever waits longer is told to come back.
const patienceMs = 5000

/**
 * Connects to a PostgreSQL database. Its driver is loaded now and not before: whoever keeps everything in
 * SQLite need not have it.
 *
 * @throws {ForgotError} the place's code when the driver is not installed or nobody answers.
 */
export async function openPostgres<Tables>(url: string, place: Place): Promise<Postgres<Tables>> {
  const { default: driver } = await load(place)
  const pool = new driver.Pool({
    connectionString: url,
    application_name: 'fastify-forgot-password',
    max: mostConnections,
    connectionTimeoutMillis: patienceMs,
    statement_timeout: patienceMs,
    lock_timeout: patienceMs,
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
    throw unusable(place, 'cannot be opened', error, remedy(error))
  }
  return { engine, pool }
}

/** A URL as an owner may see it in a log: without its user, its password and its options. */
export function describeUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

type Driver = typeof import('pg')

async function load({ key, code }: Place): Promise<{ default: Driver }> {
  try {
    return (await import('pg')) as unknown as { default: Driver }
  } catch (cause) {
    const message = `${key}: PostgreSQL needs the package pg: npm install pg`
    throw new ForgotError(code, message, { cause })
  }
}

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
  tableOptions: '',
  hasRowLocks: true,
  judge(error) {
    const { code = '', message = '' } = error as NodeJS.ErrnoException
    // A server that restarts, or hands over to another, is back within seconds.
    if (busyCodes.test(code) || lostConnection.test(message)) return 'busy'
    return /^[0-9A-Z]{5}$/.test(code) ? 'fault' : null
  },
  remedy,
  async takeTurns(database, turns) {
    // In one order, so that two never wait for each other.
    for (const turn of turns.toSorted()) {
      await sql`select pg_advisory_xact_lock(hashtextextended(${turn}, 0))`.execute(database)
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
  async forget() {},
  async touch(database) {
    // One that only follows another would refuse the first request instead of the start.
    const { rows } = await readOnly.execute(database as QueryExecutorProvider)
    if (rows[0]?.value === 'on') throw new Error('it can only be read')
  },
}

const readOnly = sql<{ value: string }>`select current_setting('transaction_read_only') as value`

/** By PostgreSQL's code, or the system's. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/^28/, 'check the user and the password in its URL'],
  [/^3D000$/, 'make the database, or name another one in its URL'],
  [/^42501$/, 'grant its user what is missing'],
  [/^(?:ECONNREFUSED|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH)$/, 'check the host and the port in its URL'],
  [/^53/, 'let it take more connections, or make room on its disk'],
]

function remedy(error: unknown): string | null {
  const { code = '' } = error as NodeJS.ErrnoException
  return remedies.find(([pattern]) => pattern.test(code))?.[1] ?? null
}
