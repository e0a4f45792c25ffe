import { setTimeout as sleep } from 'node:timers/promises'
import { ForgotError } from '../errors.ts'
import type { User } from '../user.ts'
import type { Users } from './users.ts'

// Z23: accounts that do not answer must not hold a request, or the mail queue, for ever.
const patienceMs = 10_000

/** Users that answer in time or fail: for those that a host brings. */
export class TimelyUsers implements Users {
  readonly #users: Users
  readonly #patienceMs: number

  constructor(users: Users, withinMs: number = patienceMs) {
    this.#users = users
    this.#patienceMs = withinMs
  }

  findByEmail(email: string): Promise<User | null> {
    return this.#inTime(this.#users.findByEmail(email))
  }

  findById(id: string): Promise<User | null> {
    return this.#inTime(this.#users.findById(id))
  }

  setPassword(user: User, hash: string): Promise<boolean> {
    return this.#inTime(this.#users.setPassword(user, hash))
  }

  async hasUsed(user: User, password: string): Promise<boolean> {
    return this.#inTime(this.#users.hasUsed?.(user, password) ?? Promise.resolve(false))
  }

  async endSessions(id: string): Promise<void> {
    await this.#inTime(this.#users.endSessions?.(id) ?? Promise.resolve())
  }

  async sampleHashes(): Promise<readonly string[]> {
    return this.#inTime(this.#users.sampleHashes?.() ?? Promise.resolve([]))
  }

  /** @throws {ForgotError} `ERR_FORGOT_USERS` when the answer does not come in time. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const end = new AbortController()
    const late = sleep(this.#patienceMs, undefined, { signal: end.signal }).then(() => {
      const message = `The accounts have not answered within ${this.#patienceMs} ms`
      throw new ForgotError('ERR_FORGOT_USERS', message)
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      end.abort()
      late.catch(() => {})
    }
  }
}
