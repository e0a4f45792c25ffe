import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { systemClock } from '../src/clock.ts'
import { loadConfig } from '../src/config/load.ts'
import { Opened } from '../src/opened.ts'
import { openUsers } from '../src/parts.ts'
import type { Users } from '../src/users/users.ts'
import { blocks, inFolder } from './support/documents.ts'
import { PostgresServer } from './support/postgres.ts'

// What docs/beside.md has owners put into their databases, there.

const page = 'docs/beside.md'
const sqlOf = (engine: string) =>
  blocks(page, 'sql').find(({ text }) => text.startsWith(`-- ${engine}\n`))?.text ?? ''
const usersOf = (table: string) =>
  blocks(page, 'yaml')
    .map(({ text }) => parse(text).users)
    .find((users) => users.table === table || users.sessions?.table === table)

const maria = 'maria@site.example'
const django = (id: string) => `
  create table auth_user (id ${id} primary key, email varchar(254) not null,
    first_name varchar(150) not null, password varchar(128) not null, is_active boolean not null);
  insert into auth_user values (1, '${maria}', '', 'pbkdf2_sha256$1$a$b', true),
    (2, 'sso@site.example', 'S', '!unusable', true), (3, 'gone@site.example', 'G', 'x', false)`

let server: PostgresServer
beforeAll(async () => {
  server = await PostgresServer.start()
})
afterAll(() => server.stop())

async function withUsers<T>(users: object, url: string, use: (users: Users) => Promise<T>) {
  const config = loadConfig(
    { site: { url: 'http://localhost' }, users: { ...users, url } },
    { env: {} },
  )
  const opened = new Opened()
  try {
    return await use(await openUsers(config, systemClock, opened))
  } finally {
    await opened.close()
  }
}

/** What a recovery asks of accounts, with two that write at once. */
async function recover(users: Users): Promise<void> {
  expect(await users.findByEmail('sso@site.example')).toBe(null)
  expect(await users.findByEmail('gone@site.example')).toBe(null)
  const user = await users.findByEmail('MARIA@site.example')
  expect(user).toMatchObject({ name: null, version: 'pbkdf2_sha256$1$a$b' })
  if (user === null) return
  const hashes = ['$2b$12$one', '$2b$12$two']
  const written = await Promise.all(hashes.map((hash) => users.setPassword(user, hash)))
  expect(written.toSorted()).toEqual([false, true])
  const version = hashes[written.indexOf(true)] ?? ''
  expect(await users.findById('1')).toMatchObject({ version })
  expect(await users.setPassword({ ...user, version }, '$2b$12$three')).toBe(true)
}

describe('Django', () => {
  it('reads what is written through the view: PostgreSQL', async () => {
    const url = await server.makeDatabase('django')
    await server.query(django('integer'), [], 'django')
    await server.query(sqlOf('PostgreSQL'), [], 'django')
    await withUsers(usersOf('recovery_account'), url, recover)
    const [row] = await server.query('select password from auth_user where id = 1', [], 'django')
    expect(row).toEqual({ password: 'bcrypt$$2b$12$three' })
  })

  it('reads what is written through the view: SQLite', async () => {
    await inFolder(async (folder) => {
      const database = new Database(`${folder}/site.db`)
      database.exec(`${django('integer')};${sqlOf('SQLite')}`)
      await withUsers(usersOf('recovery_account'), `sqlite:${folder}/site.db`, recover)
      const stored = database.prepare('select password from auth_user where id = 1').pluck().get()
      expect(stored).toBe('bcrypt$$2b$12$three')
      database.close()
    })
  })
})

it('sessions that connect-pg-simple stores end with the password', async () => {
  const url = await server.makeDatabase('express')
  const tables = `
    create table users (id integer primary key, email text, password text);
    insert into users values (1, '${maria}', '$2b$12$old');
    create table session (sid varchar primary key, sess json not null, expire timestamp not null);
    insert into session values ('hers', '{"passport":{"user":1}}', now()),
      ('his', '{"passport":{"user":2}}', now()), ('nobody', '{}', now())`
  await server.query(tables, [], 'express')
  await server.query(sqlOf('PostgreSQL, sessions'), [], 'express')
  await withUsers(usersOf('user_session'), url, async (users) => {
    const user = await users.findByEmail(maria)
    expect(user && (await users.setPassword(user, '$2b$12$new'))).toBe(true)
  })
  const left = await server.query('select sid from session order by sid', [], 'express')
  expect(left).toEqual([{ sid: 'his' }, { sid: 'nobody' }])
})
