import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { freePort } from '../test/support/wait.ts'
import { MeasuredProcess } from './measured.ts'
import { emailOf, makeAccounts, route } from './site.ts'

const main = fileURLToPath(new URL('floor/server.js', import.meta.url))

/** How passwords are hashed. */
export interface Hash {
  readonly kind: 'bcrypt' | 'argon2id'
  readonly cost?: number
}

/** The same parts with nothing around them, in a process of their own. */
export class Floor {
  readonly port: number
  readonly process: MeasuredProcess
  readonly #folder: string

  private constructor(port: number, process: MeasuredProcess, folder: string) {
    this.port = port
    this.process = process
    this.#folder = folder
  }

  static async start(
    accounts: number,
    {
      hash = { kind: 'bcrypt', cost: 4 },
      smtpPort,
      isProbed = true,
    }: { hash?: Hash; smtpPort?: number; isProbed?: boolean } = {},
  ): Promise<Floor> {
    const folder = mkdtempSync(join(tmpdir(), 'floor-bench-'))
    const file = join(folder, 'site.db')
    makeAccounts(file, accounts)
    const port = await freePort()
    const args = [main, JSON.stringify({ port, file, hash, smtpPort })]
    const process = await MeasuredProcess.start({ args, port, path: route }, { isProbed })
    return new Floor(port, process, folder)
  }

  /** Tokens of so many accounts, as if they had been asked for. */
  seedLinks(count: number): string[] {
    const database = new Database(join(this.#folder, 'site.db'))
    const insert = database.prepare('insert into resets values (?, ?, ?)')
    const tokens = Array.from({ length: count }, () => randomBytes(32).toString('base64url'))
    database.transaction(() => {
      for (const [index, token] of tokens.entries()) insert.run(token, emailOf(index), Date.now())
    })()
    database.close()
    return tokens
  }

  async stop(): Promise<void> {
    await this.process.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
