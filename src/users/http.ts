import { randomUUID } from 'node:crypto'
import { foldAscii } from '../address.ts'
import type { Clock } from '../clock.ts'
import type { UserEndpoint } from '../config/config.ts'
import type { Milliseconds } from '../units.ts'
import type { User } from '../user.ts'
import { found, readAnswer, type Shape, used, written } from './answer.ts'
import { type Answer, Endpoint, type Question } from './endpoint.ts'
import type { Users } from './users.ts'

/**
 * The accounts behind an endpoint of the site: docs/users.md tells what it is asked and must answer. What it
 * answers is checked, so that its mistakes are errors and no mails to the wrong person. Every function fails
 * with `ERR_FORGOT_USERS` within nine seconds when the endpoint does.
 */
export class HttpUsers implements Users {
  readonly #endpoint: Endpoint
  readonly #offers = { hasUsed: true, endSessions: true }

  private constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
  }

  /**
   * The accounts of an endpoint, once it has shown by an id that nobody has that it answers as it must, and
   * what it offers.
   *
   * @param withinMs How long each call may take with all its tries; default: nine seconds.
   * @throws {ForgotError} `ERR_FORGOT_USERS` with what is wrong and the remedy.
   */
  static async open(
    settings: UserEndpoint,
    clock: Clock,
    withinMs?: Milliseconds,
  ): Promise<HttpUsers> {
    const endpoint = new Endpoint(settings, clock, withinMs)
    const users = new HttpUsers(endpoint)
    const nobody = `nobody-${randomUUID()}`
    if ((await users.findById(nobody)) !== null) {
      const what = 'knows an account by an id that nobody has: it must answer {"user":null}'
      throw endpoint.fault('findById', what)
    }
    // Asked with what is no password: a real one goes only to an endpoint that wants it.
    await users.#hasUsed(nobody, randomUUID())
    await users.endSessions(nobody)
    return users
  }

  async findByEmail(email: string): Promise<User | null> {
    const question = { action: 'findByEmail', email } as const
    const { user } = this.#read(await this.#ask(question), question, found)
    if (user === null || foldAscii(user.email) === foldAscii(email)) return user
    // A look-alike would get the link of the person it looks like (CVE-2019-19844).
    const what = 'has found an account by an address that differs in more than the case of A to Z'
    throw this.#endpoint.fault('findByEmail', what)
  }

  findById(id: string): Promise<User | null> {
    return this.#findById(id, this.#endpoint.deadline())
  }

  async setPassword(user: User, hash: string): Promise<boolean> {
    const { id, email, version } = user
    const deadline = this.#endpoint.deadline()
    const question = { action: 'setPassword', id, email, version, hash } as const
    const answer = await this.#ask(question, deadline)
    const { written: isWritten } = this.#read(answer, question, written)
    return isWritten || !answer.isRepeat ? isWritten : this.#holds(user, hash, deadline)
  }

  hasUsed({ id }: User, password: string): Promise<boolean> {
    return this.#hasUsed(id, password)
  }

  async endSessions(id: string): Promise<void> {
    if (!this.#offers.endSessions) return
    const { status } = await this.#ask({ action: 'endSessions', id })
    if (status === 501) this.#offers.endSessions = false
  }

  async #hasUsed(id: string, password: string): Promise<boolean> {
    if (!this.#offers.hasUsed) return false
    const question = { action: 'hasUsed', id, password } as const
    const answer = await this.#ask(question)
    if (answer.status !== 501) return this.#read(answer, question, used).used
    this.#offers.hasUsed = false
    return false
  }

  async #findById(id: string, deadline: AbortSignal): Promise<User | null> {
    const question = { action: 'findById', id } as const
    const { user } = this.#read(await this.#ask(question, deadline), question, found)
    if (user === null || user.id === id) return user
    throw this.#endpoint.fault('findById', 'has answered with an account that has another id')
  }

  /**
   * Whether a password was written by a try whose answer was lost, so that its repeat has found another version.
   * An endpoint that answers repeats as it must leaves no doubt; for others the version tells where it is the hash.
   */
  async #holds(user: User, hash: string, deadline: AbortSignal): Promise<boolean> {
    const now = await this.#findById(user.id, deadline)
    if (now?.version === hash) return true
    if (now === null || now.version === user.version) return false
    // Neither yes nor no may be said: whoever owns the account is told of the change by the courier, which looks.
    const what = 'leaves open who has changed the account: a repeat must answer {"written":true}'
    throw this.#endpoint.fault('setPassword', what)
  }

  #ask(question: Question, deadline: AbortSignal = this.#endpoint.deadline()): Promise<Answer> {
    return this.#endpoint.ask(question, deadline)
  }

  #read<T>({ status, text }: Answer, { action }: Question, shape: Shape<T>): T {
    const answer = status === 200 ? readAnswer(text, shape) : null
    if (answer !== null) return answer
    throw this.#endpoint.fault(action, `must answer 200 with ${shape.expected}`)
  }
}
