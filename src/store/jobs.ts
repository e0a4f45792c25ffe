import type { Kysely } from 'kysely'
import type { Milliseconds } from '../config/values.ts'
import { type Engine, whenFree } from './engine.ts'
import { toJob } from './rows.ts'
import type { JobRow, TableNames, Tables } from './schema.ts'
import type { Jobs, MailJob } from './store.ts'

export class SqlJobs implements Jobs {
  readonly #engine: Engine
  readonly #database: Kysely<Tables>
  readonly #names: TableNames

  constructor(engine: Engine, names: TableNames) {
    this.#engine = engine
    this.#database = engine.database
    this.#names = names
  }

  async claim(now: number, leaseMs: Milliseconds, count: number): Promise<MailJob[]> {
    // Choosing and taking in one statement: no other process can take the same job.
    const rows = await whenFree(this.#engine, () =>
      this.#database
        .updateTable(this.#names.job)
        .set((row) => ({
          state: 'sending',
          due_at: now + leaseMs,
          attempts: row('attempts', '+', 1),
        }))
        .where('id', 'in', (inner) =>
          inner
            .selectFrom(this.#names.job)
            .select('id')
            .where('state', 'in', ['queued', 'sending'])
            .where('due_at', '<=', now)
            .orderBy('due_at')
            .limit(count),
        )
        .returningAll()
        .execute(),
    )
    return rows.map(toJob)
  }

  async renew(id: string, now: number, leaseMs: Milliseconds): Promise<void> {
    await this.#update(id, { due_at: now + leaseMs })
  }

  async sent(id: string, now: number): Promise<void> {
    await this.#update(id, { state: 'sent', ended_at: now, sealed_address: null, last_error: null })
  }

  async drop(id: string, now: number): Promise<void> {
    await this.#update(id, { state: 'dropped', ended_at: now, sealed_address: null })
  }

  async retry(id: string, dueAt: number, error: string): Promise<void> {
    await this.#update(id, { state: 'queued', due_at: dueAt, last_error: error })
  }

  async bury(id: string, now: number, error: string): Promise<void> {
    await this.#update(id, {
      state: 'dead',
      ended_at: now,
      sealed_address: null,
      last_error: error,
    })
  }

  /** Changes a claimed job; one that has ended meanwhile stays as it is. */
  async #update(id: string, values: Partial<JobRow>): Promise<void> {
    await whenFree(this.#engine, () =>
      this.#database
        .updateTable(this.#names.job)
        .set(values)
        .where('id', '=', id)
        .where('state', '=', 'sending')
        .execute(),
    )
  }
}
