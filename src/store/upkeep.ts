import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { describeError, type Log } from '../log.ts'
import type { Milliseconds } from '../units.ts'
import type { Store } from './store.ts'

interface UpkeepParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  /** How long a row is kept after its end. */
  readonly keepMs: Milliseconds
}

const pruneEveryMs = 60_000
const settleEveryMs = 250
// A batch takes a few milliseconds of everybody else's time, and requests go in between.
const batch = 200
const pauseMs = 10

/**
 * What a store needs now and then: to delete what ended long ago, and to put away what was written lately. It is
 * done where mails are delivered, so that no request waits for it.
 */
export class Upkeep {
  readonly #parts: UpkeepParts
  readonly #stopped = new AbortController()
  readonly #duties: readonly Duty[]

  constructor(parts: UpkeepParts) {
    this.#parts = parts
    const { store, log } = parts
    this.#duties = [
      new Duty(() => store.settle(), settleEveryMs, log, 'what was written cannot be put away'),
      new Duty(() => this.#prune(), pruneEveryMs, log, 'old rows cannot be deleted'),
    ]
  }

  start(): void {
    for (const duty of this.#duties) duty.start()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await Promise.all(this.#duties.map((duty) => duty.stop()))
  }

  async #prune(): Promise<void> {
    const { store, clock, keepMs } = this.#parts
    const { signal } = this.#stopped
    const now = clock.now()
    while (await store.prune(now, now - keepMs, batch)) {
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {})
      if (signal.aborted) return
    }
  }
}

/** Work that is done again and again, never twice at a time. */
class Duty {
  readonly #work: () => Promise<void>
  readonly #everyMs: Milliseconds
  readonly #log: Log
  readonly #failure: string
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | null = null
  // What cannot be done now cannot be done a moment later either: it is told once.
  #isFailing = false

  constructor(work: () => Promise<void>, everyMs: Milliseconds, log: Log, failure: string) {
    this.#work = work
    this.#everyMs = everyMs
    this.#log = log
    this.#failure = failure
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.#run()
    }, this.#everyMs).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      await this.#work()
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing) this.#log.warn({ error: describeError(error) }, this.#failure)
      this.#isFailing = true
    } finally {
      this.#running = null
    }
  }
}
