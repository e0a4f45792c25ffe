import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPostgres } from '../../src/store/postgres.ts'
import { SqlUsers } from '../../src/users/sql.ts'
import { PostgresServer } from '../support/postgres.ts'
import { columns, usersContract } from './contract.ts'

let server: PostgresServer
let url = ''

const mapping = {
  url: '',
  table: 'auth.members',
  ...columns,
  sessions: { table: 'auth.logins', user: 'who' },
}

beforeAll(async () => {
  server = await PostgresServer.start()
  url = await server.makeDatabase('site')
  await execute(`
    create schema auth;
    create table auth.members (member_no bigserial primary key, mail text, pw text, full_name text, lang text, status text);
    create table auth.logins (token serial primary key, who bigint)`)
})
afterAll(() => server.stop())

const execute = <Row>(text: string, ...values: unknown[]) => server.query<Row>(text, values, 'site')

async function open(over: Partial<typeof mapping> = {}): Promise<SqlUsers> {
  const place = { key: 'users.url', name: 'the site', code: 'ERR_FORGOT_USERS' } as const
  const { engine } = await openPostgres(url, place)
  return SqlUsers.open(engine, { ...mapping, ...over })
}

usersContract('a PostgreSQL table', () => ({
  open,
  add: async ({ email, name = null, locale = null, active = true }) => {
    const [row] = await execute<{ id: string }>(
      'insert into auth.members (mail, pw, full_name, lang, status) values ($1, $2, $3, $4, $5) returning member_no as id',
      ...[email, 'old', name, locale, active ? 'ok' : 'off'],
    )
    return row?.id ?? ''
  },
  signIn: async (id) => {
    await execute('insert into auth.logins (who) values ($1)', id)
  },
  look: async (id) => {
    const [row] = await execute<{ hash: string; sessions: number }>(
      'select pw as hash, (select count(*)::int from auth.logins where who = member_no) as sessions from auth.members where member_no = $1',
      id,
    )
    return row ?? { hash: '', sessions: 0 }
  },
  change: async (id, { email, hash, active }) => {
    const set = (column: string, value: unknown) =>
      execute(`update auth.members set ${column} = $1 where member_no = $2`, value, id)
    if (email !== undefined) await set('mail', email)
    if (hash !== undefined) await set('pw', hash || null)
    if (active !== undefined) await set('status', active ? 'ok' : 'off')
  },
  clean: async () => {
    await execute('truncate auth.members, auth.logins')
  },
}))

describe('a mapping', () => {
  it.each([
    ['table', 'auth.membres', 'users.table: there is no table'],
    ['email', 'email', 'users.email: there is no column'],
  ])('whose %s is not there is refused by its key', async (key, name, message) => {
    await expect(open({ [key]: name })).rejects.toMatchObject({
      code: 'ERR_FORGOT_USERS',
      message: expect.stringContaining(message),
    })
  })

  it('whose table may only be read is refused', async () => {
    await execute(
      'drop role if exists reader; create role reader login; grant usage on schema auth to reader; grant select on all tables in schema auth to reader',
    )
    const place = { key: 'users.url', name: 'the site', code: 'ERR_FORGOT_USERS' } as const
    const { engine } = await openPostgres(url.replace('forgot@', 'reader@'), place)
    await expect(SqlUsers.open(engine, mapping)).rejects.toMatchObject({
      code: 'ERR_FORGOT_USERS',
      message: expect.stringContaining('permission denied for table members'),
    })
  })
})
