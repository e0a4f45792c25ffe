import { beforeAll, describe, expect, it } from 'vitest'
import { openMysql } from '../../src/store/mysql.ts'
import { SqlUsers } from '../../src/users/sql.ts'
import { MysqlServer } from '../support/mysql.ts'
import { columns, usersContract } from './contract.ts'

const server = new MysqlServer()
const database = `site${process.pid}`
let url = ''

const mapping = {
  url: '',
  table: 'members',
  ...columns,
  sessions: { table: 'logins', user: 'who' },
}

beforeAll(async () => {
  url = await server.makeDatabase(database)
})

const execute = <Row>(text: string, ...values: (string | number | null)[]) =>
  server.query<Row>(text, values, database)

async function open(over: Partial<typeof mapping> = {}, at = url): Promise<SqlUsers> {
  const place = { key: 'users.url', name: 'the site', code: 'ERR_FORGOT_USERS' } as const
  const { engine } = await openMysql(at, place, null)
  return SqlUsers.open(engine, { ...mapping, ...over })
}

async function makeTables(collation: string): Promise<void> {
  await execute('drop table if exists members, logins')
  const options = `default character set ${collation.split('_')[0]} collate ${collation}`
  await execute(
    `create table members (member_no bigint auto_increment primary key, mail varchar(255), pw varchar(255), full_name text, lang text, status text, index (mail)) ${options}`,
  )
  await execute('create table logins (token serial primary key, who bigint)')
}

// The first two take letters of either case, and letters with and without accents, for the same.
describe.each(['utf8mb4_general_ci', 'latin1_swedish_ci', 'utf8mb4_bin'])(
  'with %s',
  (collation) => {
    beforeAll(() => makeTables(collation))

    usersContract('a MySQL table', () => ({
      open,
      add: async ({ email, name = null, locale = null, active = true }) => {
        const row = [email, 'old', name, locale, active ? 'ok' : 'off']
        await execute(
          'insert into members (mail, pw, full_name, lang, status) values (?, ?, ?, ?, ?)',
          ...row,
        )
        const [made] = await execute<{ id: number }>('select max(member_no) as id from members')
        return String(made?.id)
      },
      signIn: async (id) => {
        await execute('insert into logins (who) values (?)', id)
      },
      look: async (id) => {
        const [row] = await execute<{ hash: string; sessions: number }>(
          'select pw as hash, (select count(*) from logins where who = member_no) as sessions from members where member_no = ?',
          id,
        )
        return row ?? { hash: '', sessions: 0 }
      },
      change: async (id, { email, hash, active }) => {
        const set = (column: string, value: string | null) =>
          execute(`update members set ${column} = ? where member_no = ?`, value, id)
        if (email !== undefined) await set('mail', email)
        if (hash !== undefined) await set('pw', hash || null)
        if (active !== undefined) await set('status', active ? 'ok' : 'off')
      },
      clean: async () => {
        await execute('truncate members')
        await execute('truncate logins')
      },
    }))

    it('writes nothing over a hash that differs in the case of a letter', async () => {
      await execute(
        "insert into members (mail, pw, status) values ('a@site.example', 'Hash', 'ok')",
      )
      const users = await open()
      const user = await users.findByEmail('a@site.example')
      await execute("update members set pw = 'hASH'")
      expect(user && (await users.setPassword(user, 'new'))).toBe(false)
      await users.close()
      await execute('truncate members')
    })
  },
)

describe('a mapping', () => {
  it('finds an address by its index', async () => {
    await makeTables('utf8mb4_general_ci')
    const rows = Array.from({ length: 500 }, (_, index) => `('Person${index}@site.example', 'ok')`)
    await execute(`insert into members (mail, status) values ${rows.join()}`)
    await execute('analyze table members')
    const users = await open()
    await execute("set global log_output = 'TABLE', general_log = 1")
    const found = await users.findByEmail('person7@SITE.example')
    await execute('set global general_log = 0')
    expect(found).toMatchObject({ email: 'Person7@site.example' })
    const selects = await execute<{ text: string }>(
      "select convert(argument using utf8mb4) as text from mysql.general_log where argument like '%person7%'",
    )
    expect(selects).toHaveLength(2)
    for (const { text } of selects) {
      expect(await execute(`explain ${text}`)).toMatchObject([{ type: 'ref', key: 'mail' }])
    }
    await users.close()
    await execute('truncate members')
    await execute('truncate mysql.general_log')
  })

  it.each([
    ['table', 'membres', 'users.table: there is no table "membres"'],
    ['email', 'email', 'users.email: there is no column "email"'],
  ])('whose %s is not there is refused by its key', async (key, name, message) => {
    await expect(open({ [key]: name })).rejects.toMatchObject({
      code: 'ERR_FORGOT_USERS',
      message: expect.stringContaining(message),
    })
  })

  it('whose table may only be read is refused', async () => {
    await execute('drop user if exists reader')
    await execute('create user reader')
    await execute(`grant select on ${database}.* to reader`)
    await expect(open({}, url.replace('root@', 'reader@'))).rejects.toMatchObject({
      code: 'ERR_FORGOT_USERS',
      message: expect.stringContaining('command denied to user'),
    })
  })

  it('takes an identifier for no more than it is', async () => {
    await execute("insert into members (mail, status) values ('a@site.example', 'ok')")
    const users = await open()
    const [row] = await execute<{ id: number }>('select member_no as id from members')
    expect(await users.findById(String(row?.id))).not.toBeNull()
    expect(await users.findById(`${row?.id} or more`)).toBeNull()
    await users.close()
  })
})
