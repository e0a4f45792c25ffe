import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashSync } from 'bcryptjs'
import Database from 'better-sqlite3'
import { stringify } from 'yaml'

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
  readonly #process: ChildProcess
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })

  private constructor(url: string, folder: string, mail: Server, process: ChildProcess) {
    this.url = url
    this.#folder = folder
    this.#mail = mail
    this.#process = process
  }

  static async start(accounts: number, config: object = {}): Promise<BenchSite> {
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
    const file = join(folder, 'config.yaml')
    writeFileSync(
      file,
      stringify({
        site: { name: 'Bench', url },
        server: { port },
        secret,
        limits: { perAccount: 'off', perClient: 'off', badProofs: 'off' },
        smtp: { host: '127.0.0.1', port: (mail.address() as AddressInfo).port },
        users: { url: 'sqlite:site.db' },
        log: { level: 'error' },
        ...config,
      }),
    )
    const main = new URL('../dist/cli/main.js', import.meta.url).pathname
    const process_ = spawn(process.execPath, [main, 'serve', '--config', file], { stdio: 'ignore' })
    const site = new BenchSite(url, folder, mail, process_)
    while ((await site.send('GET', '/health').catch(() => 0)) !== 200) await sleep(20)
    return site
  }

  /** One request; its status. */
  send(method: string, path: string, form: Record<string, string> | null = null): Promise<number> {
    const body = form === null ? '' : new URLSearchParams(form).toString()
    return new Promise((resolve, reject) => {
      const sent = request(
        `${this.url}${path}`,
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
    const file = join(this.#folder, 'data/forgot-password.db')
    const store = new Database(file, { readonly: true })
    try {
      const query = 'select id from password_reset where user_id is not null'
      return store.prepare(query).pluck().all() as string[]
    } finally {
      store.close()
    }
  }

  async stop(): Promise<void> {
    this.#agent.destroy()
    this.#process.kill('SIGKILL')
    this.#mail.close()
    await sleep(100)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export function emailOf(index: number): string {
  return `person-${index}@site.example`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The value below which a share of all lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
