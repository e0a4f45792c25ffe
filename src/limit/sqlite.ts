import { RateLimiterRes, RateLimiterSQLite } from 'rate-limiter-flexible'
import type { Engine } from '../store/engine.ts'
import type { Limit, Milliseconds } from '../units.ts'
import type { Limiter } from './limiter.ts'

/** A connection for a library that has statements of its own, and the engine that waits for other writers. */
export interface SharedSqlite {
  readonly connection: { prepare(text: string): { run(...values: unknown[]): unknown } }
  readonly engine: Engine<unknown>
}

const sweepMs = 300_000

/** Counts in the store's own file, so that neither a restart nor a second process starts afresh. */
export class SqliteLimiter<Act extends string> implements Limiter<Act> {
  readonly #shared: SharedSqlite
  readonly #counters: Readonly<Record<Act, readonly RateLimiterSQLite[]>>
  readonly #sweep: NodeJS.Timeout

  /** @param table Has been made: `key`, `points` and `expire`. */
  constructor(
    shared: SharedSqlite,
    table: string,
    limits: Readonly<Record<Act, readonly Limit[]>>,
  ) {
    const counters = Object.entries<readonly Limit[]>(limits).map(([act, list]) => [
      act,
      list.map((limit, index) => counter(shared, table, `${act}-${index}`, limit)),
    ])
    this.#shared = shared
    this.#counters = Object.fromEntries(counters)
    this.#sweep = setInterval(() => this.#forget(table), sweepMs).unref()
  }

  async take(act: Act, client: string): Promise<Milliseconds> {
    const waits = this.#counters[act].map((each) => this.#consume(each, client))
    return Math.max(0, ...(await Promise.all(waits)))
  }

  async wait(act: Act, client: string): Promise<Milliseconds> {
    const waits = this.#counters[act].map(async (each) => {
      const state = await this.#shared.engine.run(() => each.get(client))
      return state !== null && state.remainingPoints <= 0 ? Math.max(1, state.msBeforeNext) : 0
    })
    return Math.max(0, ...(await Promise.all(waits)))
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep)
    await this.#shared.engine.close()
  }

  async #consume(counter: RateLimiterSQLite, client: string): Promise<Milliseconds> {
    try {
      await this.#shared.engine.run(() => counter.consume(client))
      return 0
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext)
      throw refusal
    }
  }

  /** Deletes what counts no more; should that fail, it is done the next time. */
  #forget(table: string): void {
    this.#shared.engine
      .run(async () => {
        this.#shared.connection.prepare(`delete from ${table} where expire < ?`).run(Date.now())
      })
      .catch(() => {})
  }
}

function counter(
  { connection }: SharedSqlite,
  tableName: string,
  keyPrefix: string,
  { count, windowMs }: Limit,
): RateLimiterSQLite {
  return new RateLimiterSQLite({
    storeClient: connection,
    storeType: 'better-sqlite3',
    tableName,
    tableCreated: true,
    keyPrefix,
    points: count,
    duration: windowMs / 1000,
    // Whoever is over the limit is known to be: asking the file again would let a flood write to it.
    inMemoryBlockOnConsumed: count + 1,
  })
}
