import { sql } from 'kysely'
import { type RateLimiterAbstract, RateLimiterRes } from 'rate-limiter-flexible'
import type { Engine } from '../store/engine.ts'
import type { Limit, Milliseconds } from '../units.ts'
import type { Limiter } from './limiter.ts'

/** One database in which a library counts, by statements of its own. */
export interface Counters {
  /** Waits for other writers. */
  readonly engine: Engine<unknown>
  open(options: CounterOptions): RateLimiterAbstract
  /** Its table: `key`, `points` and `expire`. */
  readonly tableName: string
  /** The engine cannot: the library's statements have gone past it. */
  close(): Promise<void>
}

/** What the library wants to know of one limit. */
export interface CounterOptions {
  readonly keyPrefix: string
  readonly points: number
  /** Seconds. */
  readonly duration: number
  readonly inMemoryBlockOnConsumed: number
}

const sweepMs = 300_000

/** Counts in the store's own database, so that neither a restart nor a second process starts afresh. */
export class SqlLimiter<Act extends string> implements Limiter<Act> {
  readonly #engine: Engine<unknown>
  readonly #close: () => Promise<void>
  readonly #counters: Readonly<Record<Act, readonly RateLimiterAbstract[]>>
  readonly #sweep: NodeJS.Timeout

  constructor(counters: Counters, limits: Readonly<Record<Act, readonly Limit[]>>) {
    const open = Object.entries<readonly Limit[]>(limits).map(([act, list]) => [
      act,
      list.map((limit, index) => counters.open(counterOptions(`${act}-${index}`, limit))),
    ])
    this.#engine = counters.engine
    this.#close = () => counters.close()
    this.#counters = Object.fromEntries(open)
    // Should it fail, it is done the next time.
    this.#sweep = setInterval(() => {
      const expired = sql`delete from ${sql.table(counters.tableName)} where expire < ${Date.now()}`
      this.#engine.run((database) => expired.execute(database)).catch(() => {})
    }, sweepMs).unref()
  }

  async take(act: Act, client: string): Promise<Milliseconds> {
    const waits = this.#counters[act].map((each) => this.#consume(each, client))
    return Math.max(0, ...(await Promise.all(waits)))
  }

  async wait(act: Act, client: string): Promise<Milliseconds> {
    const waits = this.#counters[act].map(async (each) => {
      const state = await this.#engine.run(() => each.get(client))
      return state !== null && state.remainingPoints <= 0 ? Math.max(1, state.msBeforeNext) : 0
    })
    return Math.max(0, ...(await Promise.all(waits)))
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep)
    await this.#close()
  }

  async #consume(counter: RateLimiterAbstract, client: string): Promise<Milliseconds> {
    try {
      await this.#engine.run(() => counter.consume(client))
      return 0
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext)
      throw refusal
    }
  }
}

function counterOptions(keyPrefix: string, { count, windowMs }: Limit): CounterOptions {
  return {
    keyPrefix,
    points: count,
    duration: windowMs / 1000,
    // Whoever is over the limit is known to be: asking again would let a flood write to the database.
    inMemoryBlockOnConsumed: count + 1,
  }
}
