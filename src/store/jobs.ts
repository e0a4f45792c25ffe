import type { Kysely, Transaction } from 'kysely'
import type { Milliseconds } from '../units.ts'
import type { Engine } from './engine.ts'
import type { Claim, Jobs, MailJob } from './mail.ts'
import { toJob } from './rows.ts'
import type { JobRow, TableNames, Tables } from './schema.ts'

// Another process that takes the same jobs at the same moment is quicker; the next ones are still there.
const mostClaims = 30
const dayMs = 24 * 3_600_000

export class SqlJobs implements Jobs {
  readonly #engine: Engine<Tables>
  readonly #names: TableNames

  constructor(engine: Engine<Tables>, names: TableNames) {
    this.#engine = engine
    this.#names = names
  }

  async claim(claim: Claim): Promise<MailJob[]> {
    for (let left = mostClaims; left > 0; left -= 1) {
      // Most looks find nothing: those change nothing and wait for nobody.
      const due = await this.#engine.run((database) =>
        this.#due(database, claim)
          .select('id')
          .orderBy('due_at')
          .orderBy('created_at')
          .limit(claim.count)
          .execute(),
      )
      if (due.length === 0) return []
      const ids = due.map(({ id }) => id)
      const jobs = await this.#engine.transaction((tables) => this.#take(tables, claim, ids))
      if (jobs.length > 0) return jobs
    }
    return []
  }

  async tellNoAccount(id: string, now: number): Promise<boolean> {
    return this.#engine.transaction(
      async (tables) => {
        const told = await tables
          .selectFrom(this.#names.job)
          .select('id')
          .where('kind', '=', 'no-account')
          .where('created_at', '>', now - dayMs)
          .where('subject_key', '=', (row) =>
            row.selectFrom(this.#names.job).select('subject_key').where('id', '=', id),
          )
          .executeTakeFirst()
        if (told !== undefined) return told.id === id
        await tables
          .updateTable(this.#names.job)
          .set({ kind: 'no-account' })
          .where('id', '=', id)
          .execute()
        return true
      },
      ['no-account'],
    )
  }

  async renew(id: string, now: number, leaseMs: Milliseconds): Promise<void> {
    await this.#update(id, { due_at: now + leaseMs })
  }

  async finish(id: string, now: number): Promise<void> {
    await this.#update(id, { state: 'sent', ended_at: now, sealed_address: null, last_error: null })
  }

  async drop(id: string, now: number): Promise<void> {
    await this.#update(id, { state: 'dropped', ended_at: now, sealed_address: null })
  }

  async putBack(id: string, dueAt: number): Promise<void> {
    await this.#engine.write((database) =>
      database
        .updateTable(this.#names.job)
        .set((row) => ({ state: 'queued', due_at: dueAt, attempts: row('attempts', '-', 1) }))
        .where('id', '=', id)
        .where('state', '=', 'sending')
        .execute(),
    )
  }

  async retry(id: string, dueAt: number, error: string): Promise<void> {
    await this.#update(id, { state: 'queued', due_at: dueAt, last_error: error })
  }

  async bury(id: string, now: number, error: string): Promise<boolean> {
    const values = { state: 'dead', ended_at: now, last_error: error } as const
    const buried = await this.#engine.write((database) =>
      database
        .updateTable(this.#names.job)
        .set((row) => ({
          ...values,
          // While there is something left to send, its owner may have it tried again.
          sealed_address: row
            .case()
            .when('expires_at', '>', now)
            .then(row.ref('sealed_address'))
            .else(null)
            .end(),
        }))
        .where('id', '=', id)
        .where('state', '=', 'sending')
        .executeTakeFirst(),
    )
    return buried.numUpdatedRows > 0n
  }

  /** Takes those of some jobs that nobody has taken meanwhile. */
  async #take(
    tables: Transaction<Tables>,
    claim: Claim,
    ids: readonly string[],
  ): Promise<MailJob[]> {
    const rows = await this.#due(tables, claim)
      .selectAll()
      .where('id', 'in', ids)
      // What another process is taking at this moment is its own.
      .$if(this.#engine.dialect.hasRowLocks, (query) => query.forUpdate().skipLocked())
      .execute()
    if (rows.length === 0) return []
    const taken = rows.map(({ id }) => id)
    await tables
      .updateTable(this.#names.job)
      .set((row) => ({
        state: 'sending',
        due_at: claim.now + claim.leaseMs,
        attempts: row('attempts', '+', 1),
      }))
      .where('id', 'in', taken)
      .execute()
    const jobs = rows.map((row) => toJob({ ...row, attempts: row.attempts + 1 }))
    return jobs.sort((one, other) => one.createdAt - other.createdAt)
  }

  #due(database: Kysely<Tables>, { now, latest, isTooLateOnly }: Claim) {
    return database
      .selectFrom(this.#names.job)
      .where('state', 'in', ['queued', 'sending'])
      .where((row) => row.or([row('due_at', '<=', now), row('due_at', '>', latest)]))
      .where('expires_at', '<=', isTooLateOnly ? now : Number.MAX_SAFE_INTEGER)
  }

  /** Changes a claimed job; one that has ended meanwhile stays as it is. */
  async #update(id: string, values: Partial<JobRow>): Promise<void> {
    await this.#engine.write((database) =>
      database
        .updateTable(this.#names.job)
        .set(values)
        .where('id', '=', id)
        .where('state', '=', 'sending')
        .execute(),
    )
  }
}
