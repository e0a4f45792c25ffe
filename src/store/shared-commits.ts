import { setImmediate } from 'node:timers/promises'
import { sql, type Transaction } from 'kysely'

type Work<Tables, T> = (tables: Transaction<Tables>) => Promise<T>

interface Waiting<Tables> {
  readonly work: Work<Tables, unknown>
  readonly since: number
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** How a transaction is made that waits for other writers; `since` is when the oldest of its work came. */
type Transact<Tables> = <T>(work: Work<Tables, T>, since: number) => Promise<T>

type Outcome = { readonly value: unknown } | { readonly error: unknown }

// As many as a person does not notice to have waited for.
const mostTogether = 64

/**
 * Does the work of whoever comes at the same time in one transaction, so that they wait for the disk once: it
 * writes some thousand times a second at best, however little. Each is answered when all is on the disk, and
 * what fails takes nothing else with it.
 */
export class SharedCommits<Tables> {
  readonly #transact: Transact<Tables>
  readonly #told: (error: unknown) => unknown
  readonly #waiting: Waiting<Tables>[] = []
  #isRunning = false

  /** @param told What whoever has failed is told of an error. */
  constructor(transact: Transact<Tables>, told: (error: unknown) => unknown) {
    this.#transact = transact
    this.#told = told
  }

  add<T>(work: Work<Tables, T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const since = performance.now()
      this.#waiting.push({ work, since, resolve: resolve as (value: unknown) => void, reject })
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      // Whatever else has arrived by now is read first.
      await setImmediate()
      await this.#commit(this.#waiting.splice(0, mostTogether))
    }
    this.#isRunning = false
  }

  async #commit(group: readonly Waiting<Tables>[]): Promise<void> {
    const [first, ...others] = group
    if (first === undefined) return
    if (others.length === 0) return this.#alone(first)
    let outcomes: readonly Outcome[]
    try {
      outcomes = await this.#transact((tables) => together(tables, group), first.since)
    } catch {
      // One of them has ended the transaction of all: alone each gets its own answer.
      for (const each of group) await this.#alone(each)
      return
    }
    for (const [index, { resolve, reject }] of group.entries()) {
      const outcome = outcomes[index]
      if (outcome !== undefined && 'value' in outcome) resolve(outcome.value)
      else reject(this.#told(outcome?.error))
    }
  }

  #alone({ work, since, resolve, reject }: Waiting<Tables>): Promise<void> {
    return this.#transact(work, since).then(resolve, reject)
  }
}

async function together<Tables>(
  tables: Transaction<Tables>,
  group: readonly Waiting<Tables>[],
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  for (const { work } of group) {
    await sql`savepoint shared`.execute(tables)
    try {
      outcomes.push({ value: await work(tables) })
    } catch (error) {
      await sql`rollback to shared`.execute(tables)
      outcomes.push({ error })
    }
    await sql`release shared`.execute(tables)
  }
  return outcomes
}
