import type { Clock } from '../clock.ts'
import { describeError, type Log } from '../log.ts'
import type { Milliseconds } from '../units.ts'
import type { Store } from './store.ts'

export interface PrunerParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  /** How long a row is kept after its end. */
  readonly keepMs: Milliseconds
}

const everyMs = 60_000
// A batch takes a few milliseconds, and requests go in between.
const batch = 500

/** Deletes, once a minute, what ended long ago. */
export class Pruner {
  readonly #parts: PrunerParts
  #timer: NodeJS.Timeout | null = null
  #running: Promise<void> = Promise.resolve()

  constructor(parts: PrunerParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#running = this.#prune()
    }, everyMs).unref()
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    await this.#running
  }

  async #prune(): Promise<void> {
    const { store, clock, log, keepMs } = this.#parts
    try {
      const now = clock.now()
      let mayBeMore = true
      while (mayBeMore && this.#timer !== null) {
        mayBeMore = await store.prune(now, now - keepMs, batch)
      }
    } catch (error) {
      log.warn({ error: describeError(error) }, 'old rows cannot be deleted')
    }
  }
}
