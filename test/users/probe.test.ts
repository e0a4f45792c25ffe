import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ForgotError } from '../../src/errors.ts'
import { openSiteSqlite } from '../../src/store/sqlite.ts'
import { SqlUsers } from '../../src/users/sql.ts'
import { hastened } from '../support/clock.ts'
import { unprivileged } from '../support/unprivileged.ts'

const mapping = {
  url: '',
  table: 'members',
  id: 'id',
  email: 'email',
  password: 'pw',
  name: null as string | null,
  locale: null as string | null,
  where: null as string | null,
  sessions: null as { table: string; user: string } | null,
}

let folder = ''
let file = ''
let site: Database.Database

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-probe-'))
  file = join(folder, 'site.db')
  site = new Database(file)
  site.exec(`
    create table members (
      id integer primary key, email text, pw text, active integer,
      shown text generated always as (upper(pw)));
    create table sessions (id text primary key, member_id integer);
    insert into members (email, pw, active) values ('a@site.example', 'old', 1)`)
})
afterEach(() => {
  site.close()
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true })
})

/** What is wrong with a mapping: the lines of the error, or none when it is accepted. */
async function problems(over: Partial<typeof mapping> = {}, path = file): Promise<string[]> {
  try {
    const users = await SqlUsers.open(openSiteSqlite(`sqlite:${path}`), { ...mapping, ...over })
    await users.close()
    return []
  } catch (error) {
    if (!(error instanceof ForgotError)) throw error
    expect(error.code).toBe('ERR_FORGOT_USERS')
    expect(error.message).toBe(error.problems.join('\n'))
    return [...error.problems]
  }
}

describe('a mapping that does not fit', () => {
  it('is told all at once, each with its key, what there is and what is near', async () => {
    const lines = await problems({
      email: 'mail',
      name: 'nickname',
      where: 'enabled = 1',
      sessions: { table: 'session', user: 'member' },
    })
    const columns = 'it has id, email, pw, active, shown'
    expect(lines).toEqual([
      `users.email: there is no column "mail" in members; ${columns} (did you mean "email"?)`,
      `users.name: there is no column "nickname" in members; ${columns}`,
      'users.where: is not a condition that the database understands: no such column: enabled',
      `users.sessions.table: there is no table "session" in ${file}; it has members, sessions (did you mean "sessions"?)`,
    ])
  })

  it.each([
    ['member', 'members, sessions (did you mean "members"?)'],
    ['public.members', 'members, sessions (did you mean "members"?)'],
    ['auth.member', 'members, sessions (did you mean "members"?)'],
    ['people', 'members, sessions'],
  ])('names the table %s that is not there', async (table, there) => {
    const line = `users.table: there is no table "${table}" in ${file}; it has ${there}`
    expect(await problems({ table, email: 'mail', where: 'nonsense' })).toEqual([line])
  })

  it('names the column of the sessions', async () => {
    expect(await problems({ sessions: { table: 'sessions', user: 'membr_id' } })).toEqual([
      'users.sessions.user: there is no column "membr_id" in sessions; it has id, member_id (did you mean "member_id"?)',
    ])
  })

  it('lists twenty names at most, and finds the near one among all', async () => {
    const names = Array.from({ length: 30 }, (_, index) => `c${String(index).padStart(2, '0')}`)
    site.exec(`create table wide (${[...names, 'password'].join(', ')})`)
    const over = { table: 'wide', id: 'c00', email: 'c01', password: 'pasword' }
    expect(await problems(over)).toEqual([
      `users.password: there is no column "pasword" in wide; it has ${names.slice(0, 20).join(', ')}, … (did you mean "password"?)`,
    ])
  })

  it('is told of a database without a table', async () => {
    const empty = join(folder, 'empty.db')
    writeFileSync(empty, '')
    expect(await problems({}, empty)).toEqual([
      `users.table: there is no table "members" in ${empty}; it has none`,
    ])
  })

  it.each([
    ['active =', 'near ")": syntax error'],
    ['active = ?', 'Too few parameter values were provided'],
    ['1 = 1); delete from members --', 'The supplied SQL string contains more than one statement'],
    // The look-up calls a column so, but the table does not, and nothing else may.
    ['password is not null', 'no such column: password'],
  ])('tells what the database says about the condition %s', async (where, why) => {
    const rule = 'users.where: is not a condition that the database understands'
    expect(await problems({ where })).toEqual([`${rule}: ${why}`])
  })

  it('tells what the database says when each part is right and the whole is not', async () => {
    expect(await problems({ where: '1 = 1) group by id --' })).toEqual([
      'users: the user table does not fit its mapping in the configuration: near "group": syntax error',
    ])
  })

  it('tells of a view whose table is gone, and does not stumble over another', async () => {
    site.exec('create table old (id); create view stale as select * from old; drop table old')
    expect(await problems({ table: 'stale' })).toEqual([
      `users.table: table "stale" in ${file} cannot be read: no such table: main.old`,
    ])
    expect(await problems({ email: 'mail' })).toHaveLength(1)
  })
})

describe('a mapping that fits', () => {
  it.each([
    ['in other letter case', { table: 'MEMBERS', id: 'Id', email: 'EMAIL', password: 'Pw' }],
    ['with its schema', { table: 'main.members' }],
    ['by rowid', { id: 'rowid' }],
    ['with a generated column', { name: 'shown' }],
  ])('is accepted %s', async (_, over) => {
    expect(await problems(over)).toEqual([])
    // Nor is it blamed when something else is wrong.
    expect(await problems({ ...over, where: 'nonsense' })).toEqual([
      'users.where: is not a condition that the database understands: no such column: nonsense',
    ])
  })

  it('is accepted as a view that can be written', async () => {
    site.exec(`
      create view accounts as select id, email, pw from members;
      create trigger write instead of update of pw on accounts begin
        update members set pw = new.pw where id = old.id;
      end`)
    expect(await problems({ table: 'accounts' })).toEqual([])
  })

  it.each(['delete', 'wal'])('is found out in journal mode %s without any change', async (mode) => {
    site.pragma(`journal_mode = ${mode}`)
    site.pragma('user_version = 7')
    site.pragma('wal_checkpoint(truncate)')
    const before = readFileSync(file)
    const over = { where: 'active = 1', sessions: { table: 'sessions', user: 'member_id' } }
    expect(await problems(over)).toEqual([])
    expect(await problems({ ...over, email: 'mail' })).toHaveLength(1)
    site.pragma('wal_checkpoint(truncate)')
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  it('is found out while another writer is at work', async () => {
    site.exec('begin immediate')
    // Each gives up waiting to write after five seconds.
    const [right, wrong] = await hastened(Promise.all([problems(), problems({ email: 'mail' })]))
    expect(right).toEqual([])
    expect(wrong).toHaveLength(1)
    site.exec('commit')
  })
})

describe('what cannot be written', () => {
  const remedy = 'make the file and its folder writable for this user'

  it('is a view', async () => {
    site.exec(`
      create view accounts as select id, email, pw from members;
      create view logins as select * from sessions`)
    const sessions = { table: 'logins', user: 'member_id' }
    expect(await problems({ table: 'accounts', sessions })).toEqual([
      'users.password: column "pw" in accounts cannot be written: cannot modify accounts because it is a view',
      'users.sessions.table: nothing can be deleted from logins: cannot modify logins because it is a view',
    ])
  })

  it('is a generated column', async () => {
    expect(await problems({ password: 'shown' })).toEqual([
      'users.password: column "shown" in members cannot be written: cannot UPDATE generated column "shown"',
    ])
  })

  it.each([
    ['a file that is read-only', 0o444, 0o777],
    ['a file in a folder that is read-only', 0o666, 0o555],
  ])('is %s', async (_, fileMode, folderMode) => {
    chmodSync(file, fileMode)
    chmodSync(folder, folderMode)
    const fault = `users.url: ${file} cannot be written: attempt to write a readonly database; ${remedy}`
    expect(await unprivileged(() => problems())).toEqual([fault])
    const [column, ...rest] = await unprivileged(() => problems({ email: 'mail' }))
    expect(column).toContain('users.email: there is no column "mail"')
    expect(rest).toEqual([fault])
  })
})

describe('a database that cannot be read', () => {
  it('is one that is not there, and is not made', async () => {
    const none = join(folder, 'none.db')
    expect(await problems({}, none)).toEqual([`users.url: there is no file ${none}`])
    expect(existsSync(none)).toBe(false)
    const nowhere = join(folder, 'nowhere', 'none.db')
    expect(await problems({}, nowhere)).toEqual([`users.url: there is no file ${nowhere}`])
  })

  it('is a folder', async () => {
    expect(await problems({}, folder)).toEqual([
      `users.url: ${folder} is a folder; name a file in it`,
    ])
  })

  it('is no database', async () => {
    const text = join(folder, 'text.db')
    writeFileSync(text, 'Dear diary, '.repeat(1000))
    expect(await problems({}, text)).toEqual([
      `users.url: ${text} cannot be read: file is not a database; name an SQLite database`,
    ])
  })

  it('is closed to this user', async () => {
    chmodSync(file, 0o000)
    chmodSync(folder, 0o755)
    expect(await unprivileged(() => problems())).toEqual([
      `users.url: ${file} cannot be opened: unable to open database file; make the file and its folder writable for this user`,
    ])
  })
})
