import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashSync } from 'bcryptjs'
import Database from 'better-sqlite3'
import type { FastifyInstance } from 'fastify'
import { expect } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { createServer, type ServerOverrides } from '../../src/server.ts'
import { TestClock } from './clock.ts'
import { takes } from './login.ts'
import { linkIn, SmtpSink } from './smtp.ts'
import { fileIn, storeOf, type TestStore } from './store.ts'
import { Visitor } from './visitor.ts'
import { freePort } from './wait.ts'

export const route = '/user/forgot-password'
export const secret = 'b1f0c2d3a4958677b1f0c2d3a4958677b1f0c2d3a4958677b1f0c2d3a4958677'
export const oldPassword = 'an old password of some length'
export const newPassword = 'a brand new passphrase, please'

// In memory, where the system has files there: SQLite waits for a disk with each of its writes.
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

const { blockCommon, strength } = loadConfig({}, { env: {} }).password
/** That passwords are looked up in lists, as they are where nothing is configured. */
export const lists = { blockCommon, strength }

// Made once for all: tests that need a fresh hash set a password.
const oldHash = hashSync(oldPassword, 4)

/** The accounts of the test site, in a table with names of its own. */
export const accounts = {
  alice: { email: 'alice@site.example', name: 'Alice', language: 'en', active: 1 },
  bob: { email: 'Bob@site.example', name: 'Bob', language: 'fr', active: 1 },
  somchai: { email: 'somchai@site.example', name: 'สมชาย', language: 'th', active: 1 },
  amina: { email: 'amina@site.example', name: 'أمينة', language: 'ar', active: 1 },
  mallory: { email: 'mallory@site.example', name: 'Mallory', language: 'en', active: 0 },
} as const

/** A whole site: a folder, a user database, an SMTP server, and the module listening on TCP. */
export class Site {
  readonly folder: string
  readonly database: Database.Database
  readonly smtp: SmtpSink
  readonly store: TestStore
  readonly clock = new TestClock()
  readonly logLines: string[] = []
  /** What must not be in the log: added to as tests go on. */
  readonly secrets = new Set<string>()
  url = ''
  server: FastifyInstance | null = null
  /** What the server was started with. */
  config: ConfigInput = {}

  private constructor(folder: string, smtp: SmtpSink, store: TestStore) {
    this.folder = folder
    this.smtp = smtp
    this.store = store
    this.database = makeUsers(join(folder, 'site.db'))
  }

  /** @param config Laid over the test site's own, section by section. */
  static async start(config: ConfigInput = {}, overrides: ServerOverrides = {}): Promise<Site> {
    const folder = mkdtempSync(join(scratch, 'forgot-'))
    const store = await storeOf(folder, config.store?.url)
    const site = new Site(folder, await SmtpSink.start(), store)
    const port = await freePort()
    site.url = `http://127.0.0.1:${port}`
    site.config = site.#layOver(port, config)
    await site.listen(overrides)
    return site
  }

  /** Starts the server, again if it was stopped: on the same files. */
  async listen(overrides: ServerOverrides = {}): Promise<void> {
    const config = loadConfig(this.config, { env: {} })
    this.server = await createServer(config, {
      clock: this.clock,
      logStream: { write: (line) => this.logLines.push(line) },
      ...overrides,
    })
    await this.server.listen({ host: config.server.host, port: config.server.port })
  }

  /** The store itself, where it is {@link inFile}. */
  get storeFile(): string {
    return fileIn(this.folder)
  }

  visitor(): Visitor {
    return new Visitor(this.url)
  }

  /** Asks for a link and takes it out of the mail. */
  async mailedLink(email: string, visitor: Visitor = this.visitor()): Promise<string> {
    const before = this.smtp.mails.length
    const count = this.smtp.mails.filter((mail) => mail.recipients.includes(email)).length
    const page = await visitor.post(route, { email })
    expect(page.status).toBe(303)
    const mails = await this.smtp.to(email, count + 1)
    expect(this.smtp.mails.length).toBeGreaterThan(before)
    const link = linkIn(mails.at(-1))
    this.secrets.add(new URL(link).searchParams.get('token') ?? '')
    return link
  }

  /** Opens a link and sets a password; the answer to the POST. */
  async reset(link: string, password: string = newPassword, visitor: Visitor = this.visitor()) {
    this.secrets.add(password)
    const form = await visitor.follow(await visitor.get(link))
    return visitor.post(route, { password, confirm: password, csrf: form.field('csrf') })
  }

  /** Whether the account's stored hash is that of a password. */
  hasPassword(email: string, password: string): boolean {
    return takes(this.hashOf(email), password)
  }

  hashOf(email: string): string {
    const row = this.database.prepare('select pw_hash from members where mail = ?').get(email)
    return (row as { pw_hash: string }).pw_hash
  }

  /** The store's own rows, read past the module. */
  rows<T>(sql: string): Promise<T[]> {
    return this.store.rows(sql)
  }

  /** What `forgot-password store rekey` does: secrets that were in use are asked for no more. */
  async rekey(): Promise<void> {
    await this.store.execute('delete from key_mark')
  }

  /** Stops everything and holds the log against what it must not contain. */
  async stop(): Promise<void> {
    await this.server?.close()
    await this.smtp.stop()
    this.database.close()
    await this.store.remove()
    rmSync(this.folder, { recursive: true, force: true })
    this.expectSilentLog()
  }

  expectSilentLog(): void {
    // Their decimals are as good as any six digits.
    const log = this.logLines.join('').replace(/"(?:responseTime|time|pid)":[\d.e-]+/g, '')
    const found = [...this.secrets].filter((text) => text !== '' && log.includes(text))
    expect(found).toEqual([])
    expect(log.match(/[\w.+-]+@[\w-]+\.[\w.-]+/g) ?? []).toEqual([])
  }

  #layOver(port: number, config: ConfigInput): ConfigInput {
    const base: ConfigInput = {
      site: { name: 'Riverside', url: this.url },
      server: { port },
      secret,
      // The least bcrypt can do, and no lists to be read: hashes are slow on purpose, and tests need not be.
      password: { cost: 4, blockCommon: false, strength: 0 },
      limits: { perAccount: 'off', perClient: 'off', badProofs: 'off' },
      smtp: {
        host: '127.0.0.1',
        port: this.smtp.port,
        from: { name: 'Riverside Library', email: 'library@site.example' },
        timeout: '1s',
      },
      mail: { retries: ['50ms', '100ms', '200ms', '400ms'] },
      users: {
        url: `sqlite:${join(this.folder, 'site.db')}`,
        table: 'members',
        id: 'member_no',
        email: 'mail',
        password: 'pw_hash',
        name: 'full_name',
        locale: 'language',
        where: 'active = 1',
        sessions: { table: 'logins', user: 'member_no' },
      },
      log: { level: 'trace' },
    }
    const keys = new Set([...Object.keys(base), ...Object.keys(config)]) as Set<keyof ConfigInput>
    const merged = [...keys].map((key) => [key, mergeSection(base[key], config[key])] as const)
    return { ...Object.fromEntries(merged), store: { ...config.store, url: this.store.url } }
  }
}

function mergeSection(base: unknown, over: unknown): unknown {
  if (over === undefined) return base
  const isMap = (value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  return isMap(base) && isMap(over) ? { ...(base as object), ...(over as object) } : over
}

function makeUsers(file: string): Database.Database {
  const database = new Database(file)
  database.exec(`
    create table members (
      member_no integer primary key, mail text not null, full_name text, language text,
      pw_hash text, active integer not null default 1);
    create table logins (token text primary key, member_no integer not null);`)
  const insert = database.prepare(
    'insert into members (mail, full_name, language, pw_hash, active) values (?, ?, ?, ?, ?)',
  )
  for (const { email, name, language, active } of Object.values(accounts)) {
    insert.run(email, name, language, oldHash, active)
  }
  return database
}
