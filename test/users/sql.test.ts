import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSiteSqlite } from '../../src/store/sqlite.ts'
import { SqlUsers } from '../../src/users/sql.ts'
import { columns, usersContract } from './contract.ts'

let folder = ''
let site: Database.Database

const mapping = {
  url: '',
  table: 'members',
  ...columns,
  sessions: { table: 'logins', user: 'who' },
}
const open = (over: Partial<typeof mapping> = {}) =>
  SqlUsers.open(openSiteSqlite(`sqlite:${join(folder, 'site.db')}`), { ...mapping, ...over })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-users-'))
  site = new Database(join(folder, 'site.db'))
  site.exec(`
    create table members (member_no integer primary key, mail text, pw text, full_name text, lang text, status text);
    create table logins (token integer primary key, who integer)`)
})
afterEach(() => {
  site.close()
  rmSync(folder, { recursive: true })
})

usersContract('an SQLite table', () => ({
  open,
  add: async ({ email, name = null, locale = null, active = true }) =>
    String(
      site
        .prepare('insert into members (mail, pw, full_name, lang, status) values (?, ?, ?, ?, ?)')
        .run(email, 'old', name, locale, active ? 'ok' : 'off').lastInsertRowid,
    ),
  signIn: async (id) => {
    site.prepare('insert into logins (who) values (?)').run(id)
  },
  look: async (id) =>
    site
      .prepare(
        'select pw as hash, (select count(*) from logins where who = member_no) as sessions from members where member_no = ?',
      )
      .get(id) as { hash: string; sessions: number },
  change: async (id, { email, hash, active }) => {
    if (email !== undefined)
      site.prepare('update members set mail = ? where member_no = ?').run(email, id)
    if (hash !== undefined)
      site.prepare('update members set pw = ? where member_no = ?').run(hash || null, id)
    if (active !== undefined)
      site
        .prepare('update members set status = ? where member_no = ?')
        .run(active ? 'ok' : 'off', id)
  },
  clean: async () => {},
}))

describe('a mapping', () => {
  it('keeps its condition together', async () => {
    // Without brackets, `or` would let every account through.
    const users = await open({ where: "status = 'ok' or status = 'new'" })
    site
      .prepare("insert into members (mail, pw, status) values ('a@site.example', 'x', 'off')")
      .run()
    expect(await users.findByEmail('a@site.example')).toBeNull()
    await users.close()
  })

  it('needs neither sessions, name nor language', async () => {
    const users = await open({ sessions: null, name: null, locale: null } as never)
    site
      .prepare(
        "insert into members (mail, pw, full_name, status) values ('a@site.example', 'x', 'A', 'ok')",
      )
      .run()
    const user = await users.findByEmail('a@site.example')
    expect(user).toMatchObject({ name: null, locale: null })
    expect(user && (await users.setPassword(user, 'new'))).toBe(true)
    await users.close()
  })

  it('leaves the site’s database as it is', async () => {
    const before = site.pragma('journal_mode', { simple: true })
    await (await open()).close()
    expect(site.pragma('journal_mode', { simple: true })).toBe(before)
  })

  it('fails with the words of the site’s own trigger, also where that ends the transaction', async () => {
    const users = await open()
    site.exec(`
      insert into members (mail, pw, status) values ('a@site.example', 'x', 'ok');
      create trigger freeze before update on members begin select raise(rollback, 'frozen'); end`)
    const user = await users.findByEmail('a@site.example')
    await expect(user && users.setPassword(user, 'new')).rejects.toMatchObject({
      code: 'ERR_FORGOT_USERS',
      message: `users.url: ${join(folder, 'site.db')} has failed`,
      cause: { message: 'frozen' },
    })
    await users.close()
  })
})

it('writes through a view whose trigger writes the table, and ends the sessions', async () => {
  site.exec(`
    insert into members values (7, 'alice@site.example', 'old', null, null, 'ok');
    insert into logins (who) values (7);
    create view people as select * from members;
    create trigger people_update instead of update on people begin
      update members set pw = new.pw where member_no = new.member_no;
    end`)
  const users = await open({ table: 'people' })
  const user = await users.findByEmail('alice@site.example')
  if (user === null) throw new Error('There is no such account')
  expect(await users.setPassword(user, 'new')).toBe(true)
  expect(site.prepare('select pw from members').pluck().get()).toBe('new')
  expect(site.prepare('select count(*) from logins').pluck().get()).toBe(0)
  expect(await users.setPassword(user, 'newer')).toBe(false)
  await users.close()
})
