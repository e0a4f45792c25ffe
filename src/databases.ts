import { existsSync } from 'node:fs'
import type { Config } from './config/config.ts'
import { databaseFile } from './config/database-url.ts'
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

/** How the databases of one kind are opened. */
interface Kind {
  own(store: StorePlace): Promise<Engine<Tables>>
  site(url: string): Promise<Engine<unknown>>
  /** Where it can call the couriers of other processes. */
  bell?(store: StorePlace): Promise<Bell>
}

const sqlite: Kind = {
  own: async ({ url }) => openOwnSqlite(url),
  site: async (url) => openSiteSqlite(url),
}
const mysql: Kind = {
  own: async ({ url, tablePrefix }) =>
    (await openMysql<Tables>(url, ownPlace(url), `${tablePrefix}turn`)).engine,
  site: async (url) => (await openMysql(url, sitePlace(url), null)).engine,
}
const postgres: Kind = {
  own: async ({ url }) => (await openPostgres<Tables>(url, ownPlace(url))).engine,
  site: async (url) => (await openPostgres(url, sitePlace(url))).engine,
  bell: ({ url, tablePrefix }) => PostgresBell.open(url, ownPlace(url), `${tablePrefix}mail_job`),
}

/** By the scheme of their URLs, which `config/values.ts` has checked. */
const kinds: ReadonlyMap<string, Kind> = new Map([
  ['sqlite', sqlite],
  ['mysql', mysql],
  ['mariadb', mysql],
  ['postgres', postgres],
  ['postgresql', postgres],
])

/** The file that a store lies in; `null` where it is a server's. */
export function storeFile({ url }: Pick<StorePlace, 'url'>): string | null {
  return databaseFile(url)
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
export async function openOwnDatabase(store: StorePlace): Promise<Engine<Tables>> {
  return kindOf(store.url).own(store)
}

/** @throws {ForgotError} `ERR_FORGOT_USERS` when it cannot be opened. */
export async function openSiteDatabase(url: string): Promise<Engine<unknown>> {
  return kindOf(url).site(url)
}

/** What calls the couriers of other processes; `null` where the database cannot. */
export async function openBell(store: StorePlace): Promise<Bell | null> {
  return (await kindOf(store.url).bell?.(store)) ?? null
}

function kindOf(url: string): Kind {
  const scheme = url.slice(0, url.indexOf(':'))
  const kind = kinds.get(scheme)
  if (kind === undefined) throw new Error(`There is no kind of database ${scheme}`)
  return kind
}

function ownPlace(url: string): Place {
  return { key: 'store.url', name: describeUrl(url), code: 'ERR_FORGOT_STORE' }
}

function sitePlace(url: string): Place {
  return { key: 'users.url', name: describeUrl(url), code: 'ERR_FORGOT_USERS' }
}
