import type { Kysely, Transaction } from 'kysely'
import { newJob } from './rows.ts'
import type { TableNames, Tables } from './schema.ts'
import { Insertion, Statement } from './statement.ts'
import type { Notice, Reset } from './store.ts'

/** What is done around the change of a password. */
export class Spending {
  readonly #names: TableNames
  readonly #jobs: Insertion<Tables, 'mail_job'>

  constructor(names: TableNames) {
    this.#names = names
    this.#jobs = new Insertion(names.job)
  }

  // Finding and spending in one statement: two callers cannot both see it live.
  readonly #spend = new Statement((tables: Kysely<Tables>, given: { id: string; now: number }) =>
    tables
      .updateTable(this.#names.reset)
      .set({ state: 'used', ended_at: given.now })
      .where('id', '=', given.id)
      .where('state', '=', 'live')
      .where('expires_at', '>', given.now),
  )

  readonly #dropNotices = new Statement((tables: Kysely<Tables>, given: { id: string }) =>
    tables
      .deleteFrom(this.#names.job)
      .where('reset_id', '=', given.id)
      .where('kind', '=', 'changed')
      .where('state', '=', 'queued'),
  )

  /** Spends a live reset and queues its notices; `false` when it is not live. */
  async spend(
    tables: Transaction<Tables>,
    id: string,
    now: number,
    notices: readonly Notice[],
  ): Promise<boolean> {
    if ((await this.#spend.change(tables, { id, now })) === 0) return false
    // Those of an earlier try, which came to nothing: one change is told once.
    await this.#dropNotices.change(tables, { id })
    for (const notice of notices) {
      const job = newJob({
        id: notice.id,
        kind: 'changed',
        reset_id: id,
        subject_key: notice.subjectKey,
        sealed_address: notice.sealedAddress,
        locale: notice.locale,
        created_at: now,
        expires_at: notice.expiresAt,
        due_at: notice.dueAt,
      })
      await this.#jobs.add(tables, job)
    }
    return true
  }

  readonly #hurry = new Statement((tables: Kysely<Tables>, given: { id: string; now: number }) =>
    tables
      .updateTable(this.#names.job)
      .set({ due_at: given.now })
      .where('reset_id', '=', given.id)
      .where('kind', '=', 'changed')
      .where('state', '=', 'queued'),
  )

  /** The password was written: its notices may go. */
  async confirm(database: Kysely<Tables>, id: string, now: number): Promise<void> {
    await this.#hurry.change(database, { id, now })
  }

  /** The password was not written: the reset lives on, unless its address or account has another one by now. */
  async release(
    tables: Transaction<Tables>,
    { id, subjectKey, userId }: Reset,
    now: number,
  ): Promise<void> {
    const other = await tables
      .selectFrom(this.#names.reset)
      .select('id')
      .where((row) => row.or([row('subject_key', '=', subjectKey), row('user_id', '=', userId)]))
      .where('state', '=', 'live')
      .executeTakeFirst()
    const state = other === undefined ? 'live' : 'replaced'
    await tables
      .updateTable(this.#names.reset)
      .set({ state, ...(state === 'live' ? { ended_at: null } : {}) })
      .where('id', '=', id)
      .where('state', '=', 'used')
      .where('expires_at', '>', now)
      .execute()
  }
}
