import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ForgotError } from '../../src/errors.ts'
import { SqlStore } from '../../src/store/sql.ts'
import { openOwnSqlite } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { hastened } from '../support/clock.ts'
import { unprivileged } from '../support/unprivileged.ts'
import { resetRequest, storeContract } from './contract.ts'

let folder = ''
const file = () => join(folder, 'data', 'store.db')
const open = (prefix = ''): Promise<Store> =>
  SqlStore.open(openOwnSqlite(`sqlite:${file()}`), prefix)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-store-'))
})
afterEach(() => {
  for (const each of [folder, join(folder, 'data')]) if (existsSync(each)) chmodSync(each, 0o700)
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
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700)
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

  it('keeps the number that its owner’s own schema has in it', async () => {
    await (await open()).close()
    const database = new Database(file())
    database.pragma('user_version = 7')
    const store = await open('fp_')
    await store.check()
    expect(database.pragma('user_version', { simple: true })).toBe(7)
    database.close()
    await store.close()
  })

  it('survives a power cut, and has nothing left of what was deleted', async () => {
    // A file that is in WAL mode already would have SQLite wait for the disk less often.
    await (await open()).close()
    const engine = openOwnSqlite(`sqlite:${file()}`)
    const pragma = async (name: string) => {
      const query = sql<Record<string, unknown>>`pragma ${sql.raw(name)}`
      const { rows } = await engine.run((database) => query.execute(database))
      return rows[0]?.[name]
    }
    const full = 2
    expect([await pragma('synchronous'), await pragma('secure_delete')]).toEqual([full, 1])
    // What others have put into the file is not executed.
    expect(await pragma('trusted_schema')).toBe(0)
    await engine.close()
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
})

/** Why a store is refused. */
async function refusal(path = file(), prefix = ''): Promise<string> {
  try {
    const store = await SqlStore.open(openOwnSqlite(`sqlite:${path}`), prefix)
    await store.close()
    return 'It is not'
  } catch (error) {
    if (!(error instanceof ForgotError)) throw error
    expect(error.code).toBe('ERR_FORGOT_STORE')
    return error.message
  }
}

describe('a store that cannot be used', () => {
  const migrationRemedy =
    'use the version of this module that made its tables, or set another store.url or store.tablePrefix'
  const modeRemedy = 'make the file and its folder writable for this user'

  it('is one whose tables a later version has changed', async () => {
    await (await open()).close()
    const database = new Database(file())
    database.prepare("insert into migration values ('9999-later', '2030-01-01')").run()
    database.close()
    expect(await refusal()).toBe(
      `store.url: ${file()} cannot be migrated: corrupted migrations: previously executed migration 9999-later is missing; ${migrationRemedy}`,
    )
  })

  it('is a database that has other tables of these names', async () => {
    const shared = join(folder, 'shared.db')
    new Database(shared).exec('create table mail_job (id)').close()
    expect(await refusal(shared)).toBe(
      `store.url: ${shared} cannot be migrated: table "mail_job" already exists; ${migrationRemedy}`,
    )
    expect(await refusal(shared, 'fp_')).toBe('It is not')
  })

  it('is a folder', async () => {
    expect(await refusal(folder)).toBe(`store.url: ${folder} is a folder; name a file in it`)
  })

  it('is a file that is no database, and stays as it is', async () => {
    const text = join(folder, 'diary.txt')
    writeFileSync(text, 'Dear diary')
    expect(await refusal(text)).toBe(
      `store.url: ${text} cannot be opened: file is not a database; name an SQLite database`,
    )
    expect(readFileSync(text, 'utf8')).toBe('Dear diary')
  })

  it('is one with damage where nobody has looked yet', async () => {
    const store = await open()
    for (let index = 0; index < 100; index += 1)
      await store.resets.request(resetRequest(`person${index}`))
    await store.close()
    const bytes = readFileSync(file())
    writeFileSync(file(), bytes.fill(0xff, bytes.length - 4096))
    expect(await refusal()).toMatch(/cannot be opened: [\s\S]+; restore it from a backup$/)
  })

  it('is one whose folder cannot be made', async () => {
    const inFile = join(folder, 'text', 'data', 'store.db')
    writeFileSync(join(folder, 'text'), '')
    expect(await refusal(inFile)).toBe(
      `store.url: ${inFile} cannot be opened: ENOTDIR: not a directory, mkdir '${join(folder, 'text', 'data')}'; make that folder, writable for this user, or name another file`,
    )
    chmodSync(folder, 0o555)
    expect(await unprivileged(() => refusal())).toBe(
      `store.url: ${file()} cannot be opened: EACCES: permission denied, mkdir '${join(folder, 'data')}'; make that folder, writable for this user, or name another file`,
    )
  })

  it.each([
    ['is read-only', 'written', 0o444, 0o777],
    ['is in a folder that is', 'opened', 0o666, 0o555],
    ['is both', 'opened', 0o444, 0o555],
  ])('is a file that %s', async (_, verb, fileMode, folderMode) => {
    await (await open()).close()
    chmodSync(file(), fileMode)
    chmodSync(join(folder, 'data'), folderMode)
    chmodSync(folder, 0o755)
    expect(await unprivileged(() => refusal())).toBe(
      `store.url: ${file()} cannot be ${verb}: attempt to write a readonly database; ${modeRemedy}`,
    )
  })

  it('is one that cannot be made in its folder', async () => {
    chmodSync(folder, 0o555)
    const path = join(folder, 'store.db')
    expect(await unprivileged(() => refusal(path))).toBe(
      `store.url: ${path} cannot be opened: unable to open database file; ${modeRemedy}`,
    )
  })

  it('is named when it fails later', async () => {
    const store = await open()
    const database = new Database(file())
    database.exec('drop table mail_job')
    database.close()
    await expect(store.resets.request(resetRequest('alice'))).rejects.toMatchObject({
      code: 'ERR_FORGOT_STORE',
      message: `store.url: ${file()} has failed`,
    })
    await store.close()
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
    const started = performance.now()
    const request = store.resets.request(resetRequest('alice'))
    await expect(hastened(request)).rejects.toMatchObject({
      code: 'ERR_FORGOT_BUSY',
      message: `store.url: ${file()} is held by another writer`,
    })
    expect(performance.now() - started).toBeGreaterThan(5000)
    other.exec('commit')
    expect(await store.queue.list(['queued'], 10)).toEqual([])
    other.close()
    await store.close()
  })

  it('says that it cannot write, where it could read', async () => {
    const store = await open()
    const other = new Database(file())
    other.exec('begin immediate')
    await expect(hastened(store.check())).rejects.toMatchObject({ code: 'ERR_FORGOT_BUSY' })
    other.close()
    await expect(store.check()).resolves.toBeUndefined()
    await store.close()
  })

  it('is not opened, and is no fault', async () => {
    await (await open()).close()
    const other = new Database(file())
    other.exec('begin immediate')
    await expect(hastened(open())).rejects.toMatchObject({
      code: 'ERR_FORGOT_BUSY',
      message: `store.url: ${file()} is held by another writer`,
    })
    other.close()
  })

  it('reads meanwhile', async () => {
    const store = await open()
    const reset = await store.resets.request(resetRequest('alice'))
    const other = new Database(file())
    other.exec('begin immediate')
    expect(await store.resets.find(reset.id)).toMatchObject({ tokenHash: reset.tokenHash })
    other.close()
    await store.close()
  })
})
