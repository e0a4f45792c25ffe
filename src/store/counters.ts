import { type Kysely, sql, type Transaction } from 'kysely'
import { clockSlackMs } from '../clock.ts'
import type { Milliseconds } from '../units.ts'
import type { Engine } from './engine.ts'
import type { Tables } from './schema.ts'
import { Statement } from './statement.ts'
import type { Allowance, Counters } from './store.ts'

// What is forgotten is asked of the database again.
const mostRemembered = 10_000

export class SqlCounters implements Counters {
  readonly #engine: Engine<Tables>
  readonly #table: 'rate_limit'
  // Whoever is over a limit is known to be: asking again would let a flood write to the database.
  readonly #fullUntil = new Map<string, number>()

  constructor(engine: Engine<Tables>, table: 'rate_limit') {
    this.#engine = engine
    this.#table = table
  }

  async take(allowances: readonly Allowance[], now: number): Promise<Milliseconds> {
    if (allowances.length === 0) return 0
    const waitMs = this.known(allowances, now)
    if (waitMs > 0) return waitMs
    return this.#engine.transaction((tables) => this.count(tables, allowances, now))
  }

  async wait(allowances: readonly Allowance[], now: number): Promise<Milliseconds> {
    const waits = allowances.map(async ({ key, count, windowMs }) => {
      const state = await this.#engine.run((database) => this.#look.first(database, { key }))
      const leftMs = state === undefined ? 0 : state.expire - now
      const isFull = (state?.points ?? 0) >= count && leftMs <= windowMs + clockSlackMs
      return isFull ? Math.max(0, leftMs) : 0
    })
    return Math.max(0, ...(await Promise.all(waits)))
  }

  /** How long somebody has to wait of whom that is known; 0: it must be counted. */
  known(allowances: readonly Allowance[], now: number): Milliseconds {
    let waitMs = 0
    for (const { key, windowMs } of allowances) {
      const leftMs = (this.#fullUntil.get(key) ?? now) - now
      if (leftMs <= windowMs + clockSlackMs) waitMs = Math.max(waitMs, leftMs)
    }
    return waitMs
  }

  /** Counts within a transaction: how long has to be waited, or 0. */
  async count(
    tables: Transaction<Tables>,
    allowances: readonly Allowance[],
    now: number,
  ): Promise<Milliseconds> {
    let waitMs = 0
    for (const { key, count, windowMs } of allowances) {
      const expire = now + windowMs
      await this.#add.change(tables, { key, now, expire, latest: expire + clockSlackMs })
      const counted = await this.#look.first(tables, { key })
      if (counted === undefined || counted.points <= count) continue
      this.#remember(key, counted.expire)
      waitMs = Math.max(waitMs, counted.expire - now)
    }
    return waitMs
  }

  /** Deletes up to `count` of those that nobody is counted by any more: how many there were. */
  async prune(now: number, count: number): Promise<number> {
    const old = await this.#engine.run((database) =>
      database
        .selectFrom(this.#table)
        .select('key')
        .where('expire', '<', now)
        .orderBy('expire')
        .limit(count)
        .execute(),
    )
    const keys = old.map(({ key }) => key)
    if (keys.length === 0) return 0
    await this.#engine.write((database) =>
      database.deleteFrom(this.#table).where('key', 'in', keys).where('expire', '<', now).execute(),
    )
    return keys.length
  }

  readonly #add = new Statement(
    (
      tables: Kysely<Tables>,
      given: { key: string; now: number; expire: number; latest: number },
    ) => {
      const [points, expire] = ['points', 'expire'].map((name) => sql.ref(`${this.#table}.${name}`))
      // One that ends later than any could is of a clock that was wrong.
      const isOver = sql`(${expire} <= ${given.now} or ${expire} > ${given.latest})`
      const again = {
        points: sql<number>`case when ${isOver} then 1 else ${points} + 1 end`,
        expire: sql<number>`case when ${isOver} then ${given.expire} else ${expire} end`,
      }
      const insert = tables
        .insertInto(this.#table)
        .values({ key: given.key, points: 1, expire: given.expire })
      return this.#engine.dialect.hasOnConflict
        ? insert.onConflict((conflict) => conflict.column('key').doUpdateSet(again))
        : // MySQL reads a column that it has set already as it is now: the end is set last.
          insert.onDuplicateKeyUpdate(again)
    },
  )

  readonly #look = new Statement((tables: Kysely<Tables>, given: { key: string }) =>
    tables.selectFrom(this.#table).select(['points', 'expire']).where('key', '=', given.key),
  )

  #remember(key: string, until: number): void {
    if (this.#fullUntil.size >= mostRemembered) this.#fullUntil.clear()
    this.#fullUntil.set(key, until)
  }
}
