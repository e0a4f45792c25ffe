import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import type { Place } from './dialect.ts'
import { loadDriver } from './driver.ts'
import type { Bell } from './mail.ts'

// Rung in no request's transaction, and not on its heels: whoever is served next must not feel it. It also
// keeps PostgreSQL, which lets transactions that notify commit one after the other, from doing so often.
const pauseMs = 50
const longestWaitMs = 10_000

/** LISTEN and NOTIFY on a connection of its own. While that is broken nobody is called, and nothing fails. */
export class PostgresBell implements Bell {
  readonly #makeClient: () => Client
  readonly #channel: string
  readonly #stopped = new AbortController()
  readonly #running: Promise<void>
  #client: Client | null = null
  #called: (() => void) | null = null
  #ringing: NodeJS.Timeout | null = null

  private constructor(makeClient: () => Client, channel: string) {
    this.#makeClient = makeClient
    this.#channel = channel
    this.#running = this.#stayConnected()
  }

  /** @param channel Letters, digits and `_`. */
  static async open(url: string, place: Place, channel: string): Promise<PostgresBell> {
    const driver = await loadDriver<typeof import('pg')>('PostgreSQL', 'pg', place)
    const options = { connectionString: url, application_name: 'fastify-forgot-password' }
    return new PostgresBell(() => new driver.Client({ ...options, keepAlive: true }), channel)
  }

  ring(): void {
    this.#ringing ??= setTimeout(() => {
      this.#ringing = null
      // Should it fail, the mail leaves when the courier next looks by itself.
      this.#client?.query(`notify ${this.#channel}`).catch(() => {})
    }, pauseMs).unref()
  }

  answer(called: () => void): void {
    this.#called = called
    this.#listen()
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    if (this.#ringing !== null) clearTimeout(this.#ringing)
    await this.#client?.end().catch(() => {})
    await this.#running
  }

  async #stayConnected(): Promise<void> {
    const { signal } = this.#stopped
    for (let waitMs = 100; !signal.aborted; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
      const client = this.#makeClient()
      const ended = new Promise<void>((resolve) => client.once('end', () => resolve()))
      client.on('error', () => {})
      client.on('notification', () => this.#called?.())
      try {
        await client.connect()
        this.#client = client
        waitMs = 100
        this.#listen()
        if (signal.aborted) await client.end()
        await ended
      } catch {
        await client.end().catch(() => {})
      }
      this.#client = null
      await sleep(waitMs, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  /** Whatever was rung for while nobody listened is found by looking once. */
  #listen(): void {
    const called = this.#called
    if (called === null) return
    this.#client?.query(`listen ${this.#channel}`).then(called, () => {})
  }
}
