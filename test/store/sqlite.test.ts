import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SqlStore } from '../../src/store/sql.ts'
import { openOwnSqlite } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { resetRequest, storeContract } from './contract.ts'

let folder = ''
const file = () => join(folder, 'data', 'store.db')
const open = (prefix = ''): Promise<Store> =>
  SqlStore.open(openOwnSqlite(`sqlite:${file()}`), prefix)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-store-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

storeContract('SQLite', () => ({
  // At once, on a database that is not there yet: as processes do that start together.
  open: (count) => Promise.all(Array.from({ length: count }, () => open())),
  clean: async () => {},
}))

describe('the SQLite file', () => {
  it('is for its owner alone, in WAL mode, and its tables check their types', async () => {
    const store = await open()
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    const database = new Database(file())
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal')
    const tables = database
      .prepare(
        "select name, strict from pragma_table_list where name in ('password_reset', 'mail_job')",
      )
      .all()
    expect(tables).toEqual(
      expect.arrayContaining([
        { name: 'password_reset', strict: 1 },
        { name: 'mail_job', strict: 1 },
      ]),
    )
    database.close()
    await store.close()
  })

  it('can be shared with other tables under a prefix', async () => {
    const store = await open('fp_')
    await store.resets.request(resetRequest('alice'))
    const database = new Database(file())
    expect(database.prepare('select count(*) as count from fp_password_reset').get()).toEqual({
      count: 1,
    })
    expect(
      database
        .prepare(
          "select count(*) as count from sqlite_master where type = 'table' and name not like 'fp_%'",
        )
        .get(),
    ).toEqual({ count: 0 })
    database.close()
    await store.close()
  })

  it('is refused when a later version has changed its tables', async () => {
    await (await open()).close()
    const database = new Database(file())
    database.prepare("insert into migration values ('9999-later', '2030-01-01')").run()
    database.close()
    await expect(open()).rejects.toMatchObject({ code: 'ERR_FORGOT_STORE' })
  })

  it('is refused when it is no database', () => {
    expect(() => openOwnSqlite(`sqlite:${folder}`)).toThrow(
      expect.objectContaining({ code: 'ERR_FORGOT_STORE' }),
    )
  })
})

describe('behind another writer', () => {
  it('waits without keeping anything else from running', async () => {
    const store = await open()
    const other = new Database(file())
    other.exec('begin immediate')
    let beats = 0
    const heart = setInterval(() => {
      beats += 1
    }, 10)
    setTimeout(() => other.exec('commit'), 400)
    await store.resets.request(resetRequest('alice'))
    clearInterval(heart)
    // better-sqlite3's own waiting would stop the whole process: the heart would not beat once.
    expect(beats).toBeGreaterThan(10)
    other.close()
    await store.close()
  })

  it('gives up after five seconds, having changed nothing', async () => {
    const store = await open()
    const other = new Database(file())
    other.exec('begin immediate')
    await expect(store.resets.request(resetRequest('alice'))).rejects.toMatchObject({
      code: 'ERR_FORGOT_BUSY',
    })
    other.exec('commit')
    expect(await store.jobs.claim(Number.MAX_SAFE_INTEGER, 1, 10)).toEqual([])
    other.close()
    await store.close()
  })

  it('reads meanwhile', async () => {
    const store = await open()
    const reset = await store.resets.request(resetRequest('alice'))
    const other = new Database(file())
    other.exec('begin immediate')
    expect(await store.resets.find(reset.id)).toEqual(reset)
    other.close()
    await store.close()
  })
})
