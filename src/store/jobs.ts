import type { Kysely, Transaction } from 'kysely'
import { clockSlackMs } from '../clock.ts'
import type { Milliseconds } from '../units.ts'
import type { Engine } from './engine.ts'
import type { Claim, Jobs, MailJob } from './mail.ts'
import { toJob } from './rows.ts'
import type { JobRow, TableNames, Tables } from './schema.ts'
import { Statement } from './statement.ts'

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
      const ids = await this.#engine.run((database) => this.#findDue(database, claim))
      if (ids.length === 0) return []
      const jobs = await this.#engine.transaction((tables) => this.#take(tables, claim, ids))
      if (jobs.length > 0) return jobs
    }
    return []
  }

  // A job that is owed has no end, and one that has ended is never due: an index answers in the order of the queue.
  readonly #due = new Statement(
    (database: Kysely<Tables>, given: { now: number; endBefore: number; count: number }) =>
      database
        .selectFrom(this.#names.job)
        .select('id')
        .where('ended_at', 'is', null)
        .where('due_at', '<=', given.now)
        .where('expires_at', '<=', given.endBefore)
        .orderBy('due_at')
        .orderBy('created_at')
        .limit(given.count),
  )

  readonly #putOff = new Statement(
    (database: Kysely<Tables>, given: { latest: number; endBefore: number; count: number }) =>
      database
        .selectFrom(this.#names.job)
        .select('id')
        .where('ended_at', 'is', null)
        .where('due_at', '>', given.latest)
        .where('expires_at', '<=', given.endBefore)
        .limit(given.count),
  )

  async #findDue(database: Kysely<Tables>, claim: Claim): Promise<string[]> {
    const endBefore = claim.isTooLateOnly ? claim.now : Number.MAX_SAFE_INTEGER
    const due = await this.#due.rows(database, { ...claim, endBefore })
    const left = claim.count - due.length
    const putOff =
      left === 0 ? [] : await this.#putOff.rows(database, { ...claim, endBefore, count: left })
    return [...due, ...putOff].map(({ id }) => id)
  }

  async tellNoAccount(id: string, now: number): Promise<boolean> {
    return this.#engine.transaction(
      async (tables) => {
        const told = await tables
          .selectFrom(this.#names.job)
          .select('id')
          .where('kind', '=', 'no-account')
          .where('created_at', '>', now - dayMs)
          .where('created_at', '<=', now + clockSlackMs)
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

  readonly #finish = new Statement((database: Kysely<Tables>, given: { id: string; now: number }) =>
    database
      .updateTable(this.#names.job)
      .set({ state: 'sent', ended_at: given.now, sealed_address: null, last_error: null })
      .where('id', '=', given.id)
      .where('state', '=', 'sending'),
  )

  async finish(id: string, now: number): Promise<void> {
    await this.#engine.write((database) => this.#finish.change(database, { id, now }))
  }

  readonly #drop = new Statement((database: Kysely<Tables>, given: { id: string; now: number }) =>
    database
      .updateTable(this.#names.job)
      .set({ state: 'dropped', ended_at: given.now, sealed_address: null })
      .where('id', '=', given.id)
      .where('state', '=', 'sending'),
  )

  async drop(id: string, now: number): Promise<void> {
    await this.#engine.write((database) => this.#drop.change(database, { id, now }))
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
    { now, leaseMs, latest }: Claim,
    ids: readonly string[],
  ): Promise<MailJob[]> {
    const rows = await tables
      .selectFrom(this.#names.job)
      .selectAll()
      .where('id', 'in', ids)
      .where('ended_at', 'is', null)
      .where((row) => row.or([row('due_at', '<=', now), row('due_at', '>', latest)]))
      // What another process is taking at this moment is its own.
      .$if(this.#engine.dialect.hasRowLocks, (query) => query.forUpdate().skipLocked())
      .execute()
    if (rows.length === 0) return []
    const taken = rows.map(({ id }) => id)
    await tables
      .updateTable(this.#names.job)
      .set((row) => ({
        state: 'sending',
        due_at: now + leaseMs,
        attempts: row('attempts', '+', 1),
      }))
      .where('id', 'in', taken)
      .execute()
    const jobs = rows.map((row) => toJob({ ...row, attempts: row.attempts + 1 }))
    return jobs.sort((one, other) => one.createdAt - other.createdAt)
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
