import type { Clock } from './clock.ts'
import { ForgotError } from './errors.ts'
import { describeError, type Log } from './log.ts'
import type { KeyRing } from './proof/secret.ts'
import type { KeyMarks } from './store/store.ts'
import type { Milliseconds } from './units.ts'

interface KeyWatchParts {
  readonly keys: KeyRing
  readonly marks: KeyMarks
  readonly clock: Clock
  readonly log: Log
  /** How long whatever a secret has made may be asked for. */
  readonly lifeMs: Milliseconds
  /** Whether other machines may use the store, and go on working with what they have. */
  readonly isShared: boolean
}

const everyMs = 60_000

/**
 * Sees to it that every process of a store knows the secrets that the others make links, codes and cookies
 * with: one that does not would refuse them, and count the tries of an address anew.
 */
export class KeyWatch {
  readonly #parts: KeyWatchParts
  #timer: NodeJS.Timeout | null = null

  constructor(parts: KeyWatchParts) {
    this.#parts = parts
  }

  /** @throws {ForgotError} `ERR_FORGOT_CONFIG` when machines use a secret that this one does not have. */
  async check(): Promise<void> {
    if (await this.#isComplete()) return
    const { marks, log, isShared } = this.#parts
    if (!isShared) {
      // Where there is one machine, its owner has replaced it there, and knows.
      await marks.forget()
      await this.#isComplete()
      log.warn({}, 'the secret is another one than before: what was mailed with that is refused')
      return
    }
    const hours = Math.round(this.#parts.lifeMs / 3_600_000)
    throw new ForgotError(
      'ERR_FORGOT_CONFIG',
      `secret: within the last ${hours} hours the store at store.url was used with a secret that is not here: ` +
        'list it after the new one. "forgot-password store rekey" gives it up, and every link and code that was ' +
        'made with it',
    )
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#look(), everyMs).unref()
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    const { log } = this.#parts
    try {
      if (await this.#isComplete()) return
      log.error({}, 'another process uses a secret that is not here: its links are refused here')
    } catch (error) {
      log.warn({ error: describeError(error) }, 'the secrets in use cannot be read')
    }
  }

  #isComplete(): Promise<boolean> {
    const { keys, marks, clock, lifeMs } = this.#parts
    return marks.use(keys.macs('mark', 'store'), clock.now(), lifeMs)
  }
}
