import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openPostgres } from '../../src/store/postgres.ts'
import type { Tables } from '../../src/store/schema.ts'
import { SqlStore } from '../../src/store/sql.ts'
import type { Store } from '../../src/store/store.ts'
import { hastened } from '../support/clock.ts'
import { PostgresServer } from '../support/postgres.ts'
import { resetRequest, storeContract } from './contract.ts'
import { serverContract } from './shared.ts'

let server: PostgresServer
let made = 0

beforeAll(async () => {
  server = await PostgresServer.start()
})
afterAll(() => server.stop())

async function open(url: string, prefix = ''): Promise<Store> {
  const place = { key: 'store.url', name: url, code: 'ERR_FORGOT_STORE' } as const
  const { engine } = await openPostgres<Tables>(url, place)
  return SqlStore.open(engine, prefix)
}

function newDatabase(): Promise<string> {
  made += 1
  return server.makeDatabase(`store${made}`)
}

let shared = ''

storeContract('PostgreSQL', () => ({
  open: async (count) => {
    if (shared === '') shared = await newDatabase()
    return Promise.all(Array.from({ length: count }, () => open(shared)))
  },
  clean: async () => {
    const database = new URL(shared).pathname.slice(1)
    await server.query(
      'truncate password_reset, mail_job, audit_event, rate_limit, key_mark',
      [],
      database,
    )
  },
}))

serverContract('PostgreSQL', {
  newDatabase,
  open,
  tables: async (url) => {
    const query =
      "select table_name as name from information_schema.tables where table_schema = 'public'"
    const rows = await server.query<{ name: string }>(query, [], new URL(url).pathname.slice(1))
    return rows.map(({ name }) => name)
  },
  lock: async (url) => {
    const owner = new Client({ connectionString: url })
    await owner.connect()
    await owner.query('begin; lock table password_reset in access exclusive mode')
    return () => owner.end()
  },
  breakAll: async (url) => {
    const kill = 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1'
    await server.query(kill, [new URL(url).pathname.slice(1)])
  },
})

describe('a PostgreSQL database', () => {
  it('that is not there is named with the remedy, and without a password', async () => {
    const url = server.url('nowhere').replace('forgot@', 'forgot:hunter2@')
    const place = { key: 'store.url', name: 'there', code: 'ERR_FORGOT_STORE' } as const
    await expect(openPostgres(url, place)).rejects.toMatchObject({
      code: 'ERR_FORGOT_STORE',
      message:
        'store.url: there cannot be opened: database "nowhere" does not exist; make the database, or name another one in its URL',
    })
  })

  it('Z15 that restarts keeps what it was given, and the store goes on', async () => {
    const store = await open(await newDatabase())
    const reset = await store.resets.request(resetRequest('alice'))
    await server.halt()
    const asked = store.resets.find(reset.id)
    await server.run()
    expect(await asked).toMatchObject({ id: reset.id, state: 'live' })
    await store.close()
  })

  it('Z15 that is away for longer than a request may wait has it told to come back', async () => {
    const store = await open(await newDatabase())
    await server.halt()
    await expect(hastened(store.check())).rejects.toMatchObject({ code: 'ERR_FORGOT_BUSY' })
    await server.run()
    await expect(store.check()).resolves.toBeUndefined()
    await store.close()
  })
})
