import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hashSync } from 'bcryptjs'
import Database from 'better-sqlite3'
import { stringify } from 'yaml'
import { freePort } from '../test/support/wait.ts'
import { MeasuredProcess } from './measured.ts'

export const route = '/user/forgot-password'
export const secret: string = 'b'.repeat(64)
/** The only password of all accounts, until it is reset. */
export const oldPassword = 'an old password of some length'
export const newPassword = 'seventeen violet kettles hum'

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

/** Sections of a configuration, in the place of those of {@link BenchSite.start}. */
export interface Sections {
  readonly server?: object
  readonly [section: string]: object | undefined
}

/** The built server in a process of its own, with as many accounts as asked for. */
export class BenchSite {
  readonly url: string
  readonly port: number
  readonly configFile: string
  readonly #folder: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })
  readonly #others: MeasuredProcess[] = []
  #process: MeasuredProcess | null = null

  private constructor(port: number, folder: string) {
    this.port = port
    this.url = `http://127.0.0.1:${port}`
    this.#folder = folder
    this.configFile = join(folder, 'config.yaml')
  }

  /** A site that does not run yet. */
  static async prepare(accounts: number, sections: Sections = {}): Promise<BenchSite> {
    const folder = mkdtempSync(join(tmpdir(), 'forgot-bench-'))
    const port = await freePort()
    const site = new BenchSite(port, folder)
    makeAccounts(site.usersFile, accounts)
    const config = {
      site: { name: 'Bench', url: site.url },
      secret,
      limits: { perAccount: 'off', perClient: 'off', badProofs: 'off' },
      // Nobody listens there, unless another is given.
      smtp: { host: '127.0.0.1', port: await freePort() },
      users: { url: 'sqlite:site.db' },
      log: { level: 'error' },
      ...sections,
      server: { port, ...sections.server },
    }
    writeFileSync(site.configFile, stringify(config))
    return site
  }

  static async start(accounts: number, sections: Sections = {}): Promise<BenchSite> {
    const site = await BenchSite.prepare(accounts, sections)
    await site.run()
    return site
  }

  /** Starts the server, again if it was killed: on the same files. */
  async run(options: { readonly isProbed?: boolean } = {}): Promise<void> {
    this.#process = await this.#spawn(this.port, options)
  }

  /** Starts one more server on the same files, at a port of its own; its URL. */
  async runAnother(): Promise<string> {
    const port = await freePort()
    this.#others.push(await this.#spawn(port, {}))
    return `http://127.0.0.1:${port}`
  }

  #spawn(port: number, options: { readonly isProbed?: boolean }): Promise<MeasuredProcess> {
    const args = [main, 'serve', '--config', this.configFile]
    const env = { FORGOT_SERVER__PORT: String(port) }
    return MeasuredProcess.start({ args, env, port, path: route }, options)
  }

  /** The server that runs. */
  get process(): MeasuredProcess {
    if (this.#process === null) throw new Error('The site does not run')
    return this.#process
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    await Promise.all([this.#process, ...this.#others].map((each) => each?.stop()))
  }

  /** How many mail jobs there are in each state. */
  jobs(): Record<string, number> {
    const rows = this.read<{ state: string; count: number }>(
      'select state, count(*) as count from mail_job group by state',
    )
    return Object.fromEntries(rows.map(({ state, count }) => [state, count]))
  }

  /** One request; its status. */
  send(
    method: string,
    path: string,
    form: Record<string, string> | null = null,
    url: string = this.url,
  ): Promise<number> {
    const body = form === null ? '' : new URLSearchParams(form).toString()
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const headers = { ...type, 'content-length': Buffer.byteLength(body) }
    return new Promise((resolve, reject) => {
      const sent = request(`${url}${path}`, { method, agent: this.#agent, headers }, (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode ?? 0))
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  /** Rows of the store. */
  read<Row>(query: string): Row[] {
    const store = new Database(this.storeFile, { readonly: true })
    try {
      return store.prepare(query).all() as Row[]
    } finally {
      store.close()
    }
  }

  get usersFile(): string {
    return join(this.#folder, 'site.db')
  }

  get storeFile(): string {
    return join(this.#folder, 'data/forgot-password.db')
  }

  async stop(): Promise<void> {
    this.#agent.destroy()
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export function makeAccounts(file: string, count: number): void {
  const database = new Database(file)
  database.exec(`create table users (id integer primary key, email text unique, password text);
    create index users_folded on users (lower(email))`)
  const insert = database.prepare('insert into users (email, password) values (?, ?)')
  const hash = hashSync(oldPassword, 4)
  database.transaction(() => {
    for (let index = 0; index < count; index += 1) insert.run(emailOf(index), hash)
  })()
  database.close()
}

export function emailOf(index: number): string {
  return `person-${index}@site.example`
}
