import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { hashSync } from 'bcryptjs'
import Database from 'better-sqlite3'
import type { UserTable } from '../config/config.ts'

/** The password that every sample account has at first. */
export const demoPassword = 'correct horse battery'

/** The sample accounts: one for each language, and one that must not be recovered. */
export const demoAccounts = [
  { email: 'alice@demo.example', name: 'Alice', locale: 'en', active: 1 },
  { email: 'chloe@demo.example', name: 'Chloé', locale: 'fr', active: 1 },
  { email: 'somchai@demo.example', name: 'สมชาย', locale: 'th', active: 1 },
  { email: 'amina@demo.example', name: 'أمينة', locale: 'ar', active: 1 },
  { email: 'mallory@demo.example', name: 'Mallory', locale: 'en', active: 0 },
] as const

/** Where the demo's accounts and sessions are kept. */
export function demoDatabase(dataDir: string): string {
  return join(dataDir, 'demo.db')
}

/** Makes the sample accounts at the first start and says how their table is mapped. */
export async function openDemoUsers(dataDir: string): Promise<UserTable> {
  const file = demoDatabase(dataDir)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const database = new Database(file)
  database.pragma('journal_mode = WAL')
  database.exec(`
    create table if not exists users (
      id integer primary key, email text not null unique, name text not null, locale text not null,
      password text not null, active integer not null) strict;
    create index if not exists users_email_folded on users (lower(email));
    create table if not exists sessions (
      id text primary key, user_id integer not null references users (id)) strict;`)
  seed(database)
  database.close()
  return {
    url: `sqlite:${file}`,
    table: 'users',
    id: 'id',
    email: 'email',
    password: 'password',
    name: 'name',
    locale: 'locale',
    where: 'active = 1',
    sessions: { table: 'sessions', user: 'user_id' },
  }
}

function seed(database: Database.Database): void {
  const { count } = database.prepare('select count(*) as count from users').get() as {
    count: number
  }
  if (count > 0) return
  // The accounts share a password and so may share its hash; a process that starts at the same moment adds none twice.
  const password = hashSync(demoPassword, 10)
  const insert = database.prepare(
    'insert or ignore into users (email, name, locale, password, active) values (?, ?, ?, ?, ?)',
  )
  for (const { email, name, locale, active } of demoAccounts) {
    insert.run(email, name, locale, password, active)
  }
}
