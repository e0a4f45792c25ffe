import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashSync } from 'bcryptjs'
import Database from 'better-sqlite3'
import type { FastifyInstance } from 'fastify'
import { expect } from 'vitest'
import { stringify } from 'yaml'
import { loadConfig } from '../../src/config/load.ts'
import { demoPassword } from '../../src/demo/accounts.ts'
import { createServer } from '../../src/server.ts'
import { TestClock } from '../support/clock.ts'
import { newPassword, route } from '../support/site.ts'
import { linkIn, SmtpSink } from '../support/smtp.ts'
import { type Page, Visitor } from '../support/visitor.ts'
import { freePort } from '../support/wait.ts'

const login = '/user/login'

/** The sample site: it has a login of its own, and its mails come by SMTP. */
export class Demo {
  readonly #folder: string
  readonly #smtp: SmtpSink
  readonly #server: FastifyInstance
  readonly #url: string

  private constructor(folder: string, smtp: SmtpSink, server: FastifyInstance, url: string) {
    this.#folder = folder
    this.#smtp = smtp
    this.#server = server
    this.#url = url
  }

  /** @param cost Of the new hashes: a dear one makes a reset take long. */
  static async start(cost: number): Promise<Demo> {
    const folder = mkdtempSync(join(tmpdir(), 'forgot-demo-'))
    const smtp = await SmtpSink.start()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const config = {
      site: { url },
      server: { port },
      password: { cost },
      limits: { perAccount: 'off', perClient: 'off', badProofs: 'off' },
      smtp: { host: '127.0.0.1', port: smtp.port, from: { email: 'demo@site.example' } },
    }
    const file = join(folder, 'config.yaml')
    writeFileSync(file, stringify(config))
    const server = await createServer(loadConfig(file, { env: {} }), {
      clock: new TestClock(),
      logStream: { write: () => {} },
    })
    await server.listen({ host: '127.0.0.1', port })
    return new Demo(folder, smtp, server, url)
  }

  visitor(): Visitor {
    return new Visitor(this.#url)
  }

  /** Sends the login form; whether it let the visitor in. */
  async signIn(visitor: Visitor, email: string, password: string = demoPassword): Promise<boolean> {
    const page = await visitor.post(login, { email, password })
    expect([303, 400]).toContain(page.status)
    return page.status === 303
  }

  /** Whether the visitor is taken for somebody who has signed in. */
  async isSignedIn(visitor: Visitor): Promise<boolean> {
    const page = await visitor.get('/')
    if (page.status === 200) return true
    expect([page.status, page.headers.get('location')]).toEqual([303, login])
    return false
  }

  /** Has an account's hash cost what it costs in production, where a login takes a while. */
  makeDear(email: string): void {
    const database = new Database(join(this.#folder, 'data', 'demo.db'))
    database
      .prepare('update users set password = ? where email = ?')
      .run(hashSync(demoPassword, 12), email)
    database.close()
  }

  async mailedToken(email: string): Promise<string> {
    const count = this.#mailsTo(email).length
    expect((await this.visitor().post(route, { email })).status).toBe(303)
    const mail = (await this.#smtp.to(email, count + 1)).at(-1)
    return new URL(linkIn(mail)).searchParams.get('token') ?? ''
  }

  setPassword(token: string, password: string = newPassword): Promise<Page> {
    return this.visitor().post(route, { token, password })
  }

  /** Somebody else's account is recovered, and its owner signs in. */
  async expectOrdinaryReset(): Promise<void> {
    const email = 'somchai@demo.example'
    expect((await this.setPassword(await this.mailedToken(email))).status).toBe(303)
    expect(await this.signIn(this.visitor(), email, newPassword)).toBe(true)
    expect(await this.signIn(this.visitor(), email)).toBe(false)
  }

  async stop(): Promise<void> {
    await this.#server.close()
    await this.#smtp.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #mailsTo(email: string) {
    return this.#smtp.mails.filter((mail) => mail.recipients.includes(email))
  }
}
