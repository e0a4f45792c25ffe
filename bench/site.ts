import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashSync } from 'bcryptjs'
import Database from 'better-sqlite3'
import { stringify } from 'yaml'
import { freePort } from '../test/support/wait.ts'

const secret = 'b'.repeat(64)

export const route = '/user/forgot-password'

/** A mail server that takes connections and then keeps silent for a while: the worst that does not fail. */
async function startStalledMail(): Promise<Server> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.on('close', () => {
    for (const socket of sockets) socket.destroy()
  })
  return server
}

/** The built server in a process of its own, with as many accounts as asked for. */
export class BenchSite {
  readonly url: string
  readonly secret: string = secret
  readonly #folder: string
  readonly #mail: Server
  #process: ChildProcess | null = null
  readonly #others: ChildProcess[] = []
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })

  private constructor(url: string, folder: string, mail: Server) {
    this.url = url
    this.#folder = folder
    this.#mail = mail
  }

  static async start(
    accounts: number,
    config: { readonly server?: object; readonly [section: string]: object | undefined } = {},
  ): Promise<BenchSite> {
    const folder = mkdtempSync(join(tmpdir(), 'forgot-bench-'))
    const database = new Database(join(folder, 'site.db'))
    database.exec('create table users (id integer primary key, email text unique, password text)')
    const insert = database.prepare('insert into users (email, password) values (?, ?)')
    const hash = hashSync('an old password of some length', 4)
    database.transaction(() => {
      for (let index = 0; index < accounts; index += 1) insert.run(emailOf(index), hash)
    })()
    database.close()
    const mail = await startStalledMail()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    writeFileSync(
      join(folder, 'config.yaml'),
      stringify({
        site: { name: 'Bench', url },
        secret,
        limits: { perAccount: 'off', perClient: 'off', badProofs: 'off' },
        smtp: { host: '127.0.0.1', port: (mail.address() as AddressInfo).port },
        users: { url: 'sqlite:site.db' },
        log: { level: 'error' },
        ...config,
        server: { port, ...config.server },
      }),
    )
    const site = new BenchSite(url, folder, mail)
    await site.run()
    return site
  }

  /** Starts the server, again if it was killed: on the same files. */
  async run(): Promise<void> {
    this.#process = this.#spawn()
    while ((await this.send('GET', '/health').catch(() => 0)) !== 200) await sleep(20)
  }

  /** Starts one more server on the same files, at a port of its own; its URL. */
  async runAnother(): Promise<string> {
    const port = await freePort()
    this.#others.push(this.#spawn({ FORGOT_SERVER__PORT: String(port) }))
    const url = `http://127.0.0.1:${port}`
    while ((await this.send('GET', '/health', null, url).catch(() => 0)) !== 200) await sleep(20)
    return url
  }

  #spawn(env: Record<string, string> = {}): ChildProcess {
    const main = new URL('../dist/cli/main.js', import.meta.url).pathname
    const args = [main, 'serve', '--config', join(this.#folder, 'config.yaml')]
    return spawn(process.execPath, args, { stdio: 'ignore', env: { ...process.env, ...env } })
  }

  kill(): void {
    for (const each of [this.#process, ...this.#others]) each?.kill('SIGKILL')
  }

  /** The server's processes. */
  get pids(): readonly number[] {
    const pid = this.#process?.pid ?? 0
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return [pid, ...children.trim().split(' ').filter(Boolean).map(Number)]
  }

  /** The server's memory, in MiB. */
  get residentMiB(): number {
    const status = readFileSync(`/proc/${this.#process?.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024
  }

  /** How many mail jobs there are in each state. */
  jobs(): Record<string, number> {
    const query = 'select state, count(*) as count from mail_job group by state'
    const rows = this.#read(query) as { state: string; count: number }[]
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
    return new Promise((resolve, reject) => {
      const sent = request(
        `${url}${path}`,
        {
          method,
          agent: this.#agent,
          headers: {
            'content-type': 'application/x-www-form-urlencoded',
            'content-length': Buffer.byteLength(body),
          },
        },
        (answer) => {
          answer.resume()
          answer.on('end', () => resolve(answer.statusCode ?? 0))
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }

  /** The resets whose accounts the courier has found. */
  assignedResets(): string[] {
    const rows = this.#read('select id from password_reset where user_id is not null')
    return (rows as { id: string }[]).map(({ id }) => id)
  }

  #read(query: string): unknown[] {
    const store = new Database(join(this.#folder, 'data/forgot-password.db'), { readonly: true })
    try {
      return store.prepare(query).all()
    } finally {
      store.close()
    }
  }

  async stop(): Promise<void> {
    this.#agent.destroy()
    this.kill()
    this.#mail.close()
    await sleep(100)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export function emailOf(index: number): string {
  return `person-${index}@site.example`
}

/** The value below which a share of all lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
