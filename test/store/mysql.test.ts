import { createConnection } from 'mysql2/promise'
import { describe, expect, it } from 'vitest'
import { openMysql } from '../../src/store/mysql.ts'
import type { Tables } from '../../src/store/schema.ts'
import { SqlStore } from '../../src/store/sql.ts'
import type { Store } from '../../src/store/store.ts'
import { MysqlServer } from '../support/mysql.ts'
import { resetRequest, storeContract } from './contract.ts'
import { serverContract } from './shared.ts'

const server = new MysqlServer()
const place = { key: 'store.url', name: 'there', code: 'ERR_FORGOT_STORE' } as const
let made = 0

async function open(url: string, prefix = ''): Promise<Store> {
  const { engine } = await openMysql<Tables>(url, place, `${prefix}turn`)
  return SqlStore.open(engine, prefix)
}

function newDatabase(): Promise<string> {
  made += 1
  return server.makeDatabase(`store${process.pid}_${made}`)
}

let shared = ''

storeContract('MySQL', () => ({
  open: async (count) => {
    if (shared === '') shared = await newDatabase()
    return Promise.all(Array.from({ length: count }, () => open(shared)))
  },
  clean: async () => {
    const database = new URL(shared).pathname.slice(1)
    for (const table of ['password_reset', 'mail_job', 'audit_event', 'rate_limit', 'key_mark']) {
      await server.query(`truncate ${table}`, [], database)
    }
  },
}))

serverContract('MySQL', {
  newDatabase,
  open,
  tables: async (url) => {
    const query = 'select table_name as name from information_schema.tables where table_schema = ?'
    const rows = await server.query<{ name: string }>(query, [new URL(url).pathname.slice(1)])
    return rows.map(({ name }) => name)
  },
  lock: async (url) => {
    const owner = await createConnection({ uri: url })
    await owner.query('lock tables password_reset write')
    return () => owner.end()
  },
  breakAll: async (url) => {
    const mine = await server.query<{ id: number }>(
      'select id from information_schema.processlist where db = ?',
      [new URL(url).pathname.slice(1)],
    )
    // One that has gone by itself meanwhile cannot be killed.
    for (const { id } of mine) await server.query(`kill ${id}`).catch(() => {})
  },
})

describe('a MySQL database', () => {
  it('gets the rest of its tables where making them was interrupted', async () => {
    const url = await newDatabase()
    const database = new URL(url).pathname.slice(1)
    await (await open(url)).close()
    // What a process has made before it was killed, and has not written down.
    await server.query('delete from migration', [], database)
    await server.query('drop table mail_job', [], database)
    await server.query('drop index password_reset_expires_at on password_reset', [], database)
    await server.query('delete from turn where slot > 7', [], database)
    const store = await open(url)
    await store.resets.request(resetRequest('alice'))
    expect(await server.query('select 1 from turn', [], database)).toHaveLength(256)
    await store.close()
  })

  it('takes text as text whatever way with backslashes its server has', async () => {
    const url = await newDatabase()
    await server.query("set global sql_mode = 'NO_BACKSLASH_ESCAPES'")
    try {
      const store = await open(url)
      const address = "alice\\' or 1 = 1 -- "
      const { id } = await store.resets.request(resetRequest(address, { tokenHash: address }))
      expect(await store.resets.findByToken(address)).toMatchObject({ id })
      expect(await store.resets.findByToken("\\' or 1 = 1 -- ")).toBeNull()
      await store.close()
    } finally {
      await server.query('set global sql_mode = default')
    }
  })

  it('that is not there is named with the remedy, and without a password', async () => {
    const url = server.url('nowhere').replace('root@', 'root:hunter2@')
    await expect(openMysql(url, place, null)).rejects.toMatchObject({
      code: 'ERR_FORGOT_STORE',
      message:
        "store.url: there cannot be opened: Access denied for user 'root'@'localhost' (using password: YES); check the user and the password in its URL",
    })
    await expect(openMysql(server.url('nowhere'), place, null)).rejects.toMatchObject({
      message:
        "store.url: there cannot be opened: Unknown database 'nowhere'; make the database, or name another one in its URL",
    })
  })
})
