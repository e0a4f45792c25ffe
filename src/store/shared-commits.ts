import { setImmediate } from 'node:timers/promises'
import type { Transaction } from 'kysely'

type Work<Tables, T> = (tables: Transaction<Tables>) => Promise<T>

interface Waiting<Tables> {
  readonly work: Work<Tables, unknown>
  readonly since: number
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** How a transaction is made that waits for other writers; `since` is when the oldest of its work came. */
type Transact<Tables> = <T>(work: Work<Tables, T>, since: number) => Promise<T>

// As many as a person does not notice to have waited for.
const mostTogether = 64

/**
 * Does the work of whoever comes at the same time in one transaction, so that they wait for the disk once: it
 * writes some thousand times a second at best, however little. Each is answered when all is on the disk. Where
 * one of them fails everything is taken back, and each is done again alone: failures are rare, and savepoints,
 * which would spare the others that, take a quarter of the time of all that goes well.
 */
export class SharedCommits<Tables> {
  readonly #transact: Transact<Tables>
  readonly #waiting: Waiting<Tables>[] = []
  #isRunning = false

  constructor(transact: Transact<Tables>) {
    this.#transact = transact
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
    let values: readonly unknown[]
    try {
      values = await this.#transact((tables) => inTurn(tables, group), first.since)
    } catch {
      for (const each of group) await this.#alone(each)
      return
    }
    for (const [index, { resolve }] of group.entries()) resolve(values[index])
  }

  #alone({ work, since, resolve, reject }: Waiting<Tables>): Promise<void> {
    return this.#transact(work, since).then(resolve, reject)
  }
}

async function inTurn<Tables>(
  tables: Transaction<Tables>,
  group: readonly Waiting<Tables>[],
): Promise<readonly unknown[]> {
  const values: unknown[] = []
  for (const { work } of group) values.push(await work(tables))
  return values
}
