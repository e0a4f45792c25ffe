import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { createConnection } from 'mysql2/promise'
import { Client, type ClientConfig, Pool, types } from 'pg'
import { inject } from 'vitest'
import { MysqlServer } from './mysql.ts'
import { PostgresDatabases } from './postgres.ts'
import { eventually } from './wait.ts'

/** The store of a test site: what tests see of it and do to it past the module. */
export interface TestStore {
  readonly url: string
  /** Whether its engine waits for other writers by itself, in true time. */
  readonly isPatient: boolean
  /** What a statement finds. */
  rows<T>(sql: string): Promise<T[]>
  /** Executes statements that find nothing. */
  execute(sql: string): Promise<void>
  /** The names of its tables, sorted. */
  tables(): Promise<string[]>
  /** All that it holds, as it holds it. */
  dump(): Promise<string>
  /** Is another writer, behind whom all others wait while readers go on. @returns What lets go. */
  hold(): Promise<() => Promise<void>>
  /** Makes it what it was before anything was stored. */
  clear(): Promise<void>
  /** Takes it away, whoever is connected. */
  remove(): Promise<void>
}

/** For tests of what only a file can suffer: the store lies in its site's folder, whatever TEST_STORE says. */
export const inFile = { url: 'sqlite:store.db' } as const

/** Where the stores of test sites lie that name no place themselves: by the name that TEST_STORE gives it. */
const makers: Readonly<Record<string, (folder: string) => Promise<TestStore>>> = {
  sqlite: async (folder) => new SqliteStore(fileIn(folder)),
  postgres: () => PostgresStore.make(),
  mysql: () => MysqlStore.make(),
}

/**
 * The store of a site.
 *
 * @param folder The site's own.
 * @param url What the test's configuration names, if it does.
 */
export async function storeOf(folder: string, url?: string): Promise<TestStore> {
  if (url === inFile.url) return new SqliteStore(fileIn(folder))
  if (url?.startsWith('sqlite:')) return new SqliteStore(url.slice('sqlite:'.length))
  if (url?.startsWith('mysql:')) return new MysqlStore(url)
  if (url !== undefined) return new PostgresStore(url)
  const name = process.env['TEST_STORE'] ?? 'sqlite'
  const make = makers[name]
  if (make === undefined) throw new Error(`TEST_STORE: ${name} is none of ${Object.keys(makers)}`)
  return make(folder)
}

/** The file of a store that lies in its site's folder. */
export function fileIn(folder: string): string {
  return join(folder, 'store.db')
}

class SqliteStore implements TestStore {
  readonly url: string
  readonly isPatient = false
  readonly #file: string

  constructor(file: string) {
    this.url = `sqlite:${file}`
    this.#file = file
  }

  async rows<T>(sql: string): Promise<T[]> {
    return this.#open({ readonly: true }, (store) => store.prepare(sql).all() as T[])
  }

  async execute(sql: string): Promise<void> {
    this.#open({}, (store) => store.exec(sql))
  }

  async tables(): Promise<string[]> {
    const sql = "select name from sqlite_schema where type = 'table' order by name"
    return (await this.rows<{ name: string }>(sql)).map(({ name }) => name)
  }

  /** Its bytes, and those of the log of its writes. */
  async dump(): Promise<string> {
    return this.#files()
      .map((file) => readFileSync(file, 'latin1'))
      .join('\n')
  }

  async hold(): Promise<() => Promise<void>> {
    const other = new Database(this.#file, { timeout: 0 })
    await eventually(() => begin(other))
    return async () => {
      other.exec('rollback')
      other.close()
    }
  }

  async clear(): Promise<void> {
    for (const file of this.#files()) rmSync(file)
  }

  /** It goes with its folder. */
  async remove(): Promise<void> {}

  #open<T>(options: Database.Options, work: (store: Database.Database) => T): T {
    const store = new Database(this.#file, options)
    try {
      return work(store)
    } finally {
      store.close()
    }
  }

  #files(): string[] {
    const names = readdirSync(dirname(this.#file))
    return names
      .filter((name) => name.startsWith(basename(this.#file)))
      .map((name) => join(dirname(this.#file), name))
  }
}

function begin(store: Database.Database): boolean {
  try {
    store.exec('begin immediate')
    return true
  } catch {
    // Somebody else is writing.
    return false
  }
}

class PostgresStore implements TestStore {
  readonly url: string
  readonly isPatient = true
  readonly #pool: Pool

  constructor(url: string) {
    this.url = url
    this.#pool = new Pool({ ...clientOf(url), max: 2 })
    this.#pool.on('error', ignore)
  }

  static async make(): Promise<TestStore> {
    return new PostgresStore(await server().makeDatabase(`store_${randomBytes(8).toString('hex')}`))
  }

  async rows<T>(sql: string): Promise<T[]> {
    return (await this.#pool.query(sql)).rows as T[]
  }

  async execute(sql: string): Promise<void> {
    await this.#pool.query(sql)
  }

  async tables(): Promise<string[]> {
    const sql = "select tablename as name from pg_tables where schemaname = 'public' order by name"
    return (await this.rows<{ name: string }>(sql)).map(({ name }) => name)
  }

  /** Every row of every table: its files are its server's. */
  async dump(): Promise<string> {
    const tables = (await this.tables()).map(async (name) => {
      const rows = await this.rows<{ row: string }>(`select each::text as row from "${name}" each`)
      return [name, ...rows.map(({ row }) => row)].join('\n')
    })
    return (await Promise.all(tables)).join('\n')
  }

  async hold(): Promise<() => Promise<void>> {
    const names = (await this.tables()).map((name) => `"${name}"`).join(', ')
    const other = new Client(clientOf(this.url))
    other.on('error', ignore)
    await other.connect()
    await eventually(async () => {
      try {
        // Without waiting: who waits for one table while others are held could wait in a circle.
        await other.query(`begin; lock table ${names} in exclusive mode nowait`)
        return true
      } catch {
        await other.query('rollback')
        return false
      }
    })
    return () => other.end()
  }

  async clear(): Promise<void> {
    await this.execute('drop schema public cascade; create schema public')
  }

  async remove(): Promise<void> {
    await this.#pool.end()
    if (isMadeHere(this.url)) await server().dropDatabase(new URL(this.url).pathname.slice(1))
  }
}

class MysqlStore implements TestStore {
  readonly url: string
  readonly isPatient = true
  readonly #database: string
  readonly #server = new MysqlServer()

  constructor(url: string) {
    this.url = url
    this.#database = new URL(url).pathname.slice(1)
  }

  static async make(): Promise<TestStore> {
    const name = `store_${randomBytes(8).toString('hex')}`
    return new MysqlStore(await new MysqlServer().makeDatabase(name))
  }

  rows<T>(sql: string): Promise<T[]> {
    return this.#server.query(sql, [], this.#database)
  }

  async execute(sql: string): Promise<void> {
    const connection = await createConnection({ uri: this.url, multipleStatements: true })
    await connection.query(sql).finally(() => connection.end())
  }

  async tables(): Promise<string[]> {
    const sql = `select table_name as name from information_schema.tables
      where table_schema = database() order by name`
    return (await this.rows<{ name: string }>(sql)).map(({ name }) => name)
  }

  /** Every row of every table: its files are its server's. */
  async dump(): Promise<string> {
    const tables = (await this.tables()).map(async (name) => [
      name,
      ...(await this.rows(`select * from ${name}`)).map((row) => JSON.stringify(row)),
    ])
    return (await Promise.all(tables)).flat().join('\n')
  }

  async hold(): Promise<() => Promise<void>> {
    const other = await createConnection({ uri: this.url })
    const locks = (await this.tables()).map((name) => `${name} read`)
    await other.query(`lock tables ${locks.join(', ')}`)
    return () => other.end()
  }

  async clear(): Promise<void> {
    await this.#server.makeDatabase(this.#database)
  }

  async remove(): Promise<void> {
    await this.#server.query(`drop database if exists ${this.#database}`)
  }
}

/** The one that setup.ts has started for all tests. */
function server(): PostgresDatabases {
  return new PostgresDatabases(inject('postgresPort'))
}

function isMadeHere(url: string): boolean {
  return url.startsWith(server().url('store_'))
}

const ignore = () => {}
const bigintOid = 20

function clientOf(connectionString: string): ClientConfig {
  const getTypeParser: typeof types.getTypeParser = (oid, format) =>
    oid === bigintOid ? Number : types.getTypeParser(oid, format)
  return { connectionString, types: { getTypeParser } }
}
