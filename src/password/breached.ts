import { createHash } from 'node:crypto'
import { describeError, type Log } from '../log.ts'

const timeoutMs = 2000
// The longest padded answer is about 60 KB; a server that sends without end is cut off.
const mostCharacters = 1_000_000

/** Passwords that were in a published breach. */
export interface BreachList {
  isListed(password: string): Promise<boolean>
}

/**
 * The range look-up of Have I Been Pwned (k-anonymity): the first five hex digits of a SHA-1 leave this
 * machine, and the answer is padded, so that its length tells nothing. When it does not answer in time, the
 * password passes: somebody else's server must not keep people from their accounts.
 */
export class PwnedPasswords implements BreachList {
  readonly #url: string
  readonly #log: Log

  /** @param url The range API, to which five hex digits are added. */
  constructor(url: string, log: Log) {
    this.#url = url
    this.#log = log
  }

  async isListed(password: string): Promise<boolean> {
    const hash = createHash('sha1').update(password).digest('hex').toUpperCase()
    try {
      const lines = await this.#range(hash.slice(0, 5))
      // Padding has a count of 0.
      return lines.some((line) => line.startsWith(`${hash.slice(5)}:`) && !line.endsWith(':0'))
    } catch (error) {
      this.#log.warn({ error: describeError(error) }, 'breached passwords cannot be looked up')
      return false
    }
  }

  async #range(prefix: string): Promise<string[]> {
    const response = await fetch(`${this.#url}${prefix}`, {
      headers: { 'add-padding': 'true' },
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'error',
    })
    if (!response.ok) throw new Error(`The range look-up answered ${response.status}`)
    const text = await response.text()
    return text.slice(0, mostCharacters).split(/\r?\n/)
  }
}
