import type { Config } from './config/config.ts'
import { postgresCounters } from './limit/postgres.ts'
import { SqlLimiter } from './limit/sql.ts'
import { sqliteCounters } from './limit/sqlite.ts'
import type { Engine, Place } from './store/engine.ts'
import { describeUrl, openPostgres } from './store/postgres.ts'
import { limitTable, type Tables } from './store/schema.ts'
import { openOwnSqlite, openSharedSqlite, openSiteSqlite } from './store/sqlite.ts'
import type { Limit } from './units.ts'

// Which engine a URL names: the only place that knows which there are.

/** @throws {ForgotError} `ERR_FORGOT_STORE` when it cannot be opened. */
export async function openOwnDatabase(url: string): Promise<Engine<Tables>> {
  if (isSqlite(url)) return openOwnSqlite(url)
  const { engine } = await openPostgres<Tables>(url, ownPlace(url))
  return engine
}

/** @throws {ForgotError} `ERR_FORGOT_USERS` when it cannot be opened. */
export async function openSiteDatabase(url: string): Promise<Engine<unknown>> {
  if (isSqlite(url)) return openSiteSqlite(url)
  const place: Place = { key: 'users.url', name: describeUrl(url), code: 'ERR_FORGOT_USERS' }
  const { engine } = await openPostgres(url, place)
  return engine
}

/**
 * Counts in the store's own database, for every process that uses it.
 *
 * @throws {ForgotError} `ERR_FORGOT_STORE` when it cannot be opened.
 */
export async function openCounters<Act extends string>(
  { url, tablePrefix }: Config['store'],
  limits: Readonly<Record<Act, readonly Limit[]>>,
): Promise<SqlLimiter<Act>> {
  const table = limitTable(tablePrefix)
  if (isSqlite(url)) return new SqlLimiter(sqliteCounters(openSharedSqlite(url), table), limits)
  const { engine, pool } = await openPostgres<unknown>(url, ownPlace(url))
  return new SqlLimiter(postgresCounters({ engine, pool }, table), limits)
}

function ownPlace(url: string): Place {
  return { key: 'store.url', name: describeUrl(url), code: 'ERR_FORGOT_STORE' }
}

function isSqlite(url: string): boolean {
  return url.startsWith('sqlite:')
}
