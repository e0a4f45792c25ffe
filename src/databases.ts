import { existsSync } from 'node:fs'
import type { Config } from './config/config.ts'
import { ForgotError } from './errors.ts'
import type { Place } from './store/dialect.ts'
import { describeUrl } from './store/driver.ts'
import type { Engine } from './store/engine.ts'
import type { Bell } from './store/mail.ts'
import { openMysql } from './store/mysql.ts'
import { openPostgres } from './store/postgres.ts'
import { PostgresBell } from './store/postgres-bell.ts'
import type { Tables } from './store/schema.ts'
import { openOwnSqlite, openSiteSqlite } from './store/sqlite.ts'

// Which engine a URL names: the only place that knows which there are.

type StorePlace = Config['store']

/** The file that a store lies in; `null` where it is a server's. */
export function storeFile({ url }: Pick<StorePlace, 'url'>): string | null {
  return isSqlite(url) ? url.slice('sqlite:'.length) : null
}

/**
 * Makes sure that there is a store, for commands that only look into one: they would make an empty one.
 *
 * @throws {ForgotError} `ERR_FORGOT_STORE` when there is none.
 */
export function requireStore(store: StorePlace): void {
  const file = storeFile(store)
  if (file === null || existsSync(file)) return
  const message = `store.url: there is no file ${file}: no server has been started with this configuration here`
  throw new ForgotError('ERR_FORGOT_STORE', message)
}

/** @throws {ForgotError} `ERR_FORGOT_STORE` when it cannot be opened. */
export async function openOwnDatabase({ url, tablePrefix }: StorePlace): Promise<Engine<Tables>> {
  if (isSqlite(url)) return openOwnSqlite(url)
  const place = ownPlace(url)
  const { engine } = isMysql(url)
    ? await openMysql<Tables>(url, place, `${tablePrefix}turn`)
    : await openPostgres<Tables>(url, place)
  return engine
}

/** @throws {ForgotError} `ERR_FORGOT_USERS` when it cannot be opened. */
export async function openSiteDatabase(url: string): Promise<Engine<unknown>> {
  if (isSqlite(url)) return openSiteSqlite(url)
  const place: Place = { key: 'users.url', name: describeUrl(url), code: 'ERR_FORGOT_USERS' }
  const { engine } = isMysql(url)
    ? await openMysql(url, place, null)
    : await openPostgres(url, place)
  return engine
}

/** What calls the couriers of other processes; `null` where the database cannot. */
export async function openBell({ url, tablePrefix }: StorePlace): Promise<Bell | null> {
  if (isSqlite(url) || isMysql(url)) return null
  return PostgresBell.open(url, ownPlace(url), `${tablePrefix}mail_job`)
}

function ownPlace(url: string): Place {
  return { key: 'store.url', name: describeUrl(url), code: 'ERR_FORGOT_STORE' }
}

function isSqlite(url: string): boolean {
  return url.startsWith('sqlite:')
}

function isMysql(url: string): boolean {
  return /^(?:mysql|mariadb):/.test(url)
}
