import { type Kysely, sql } from 'kysely'
import type { Engine } from './engine.ts'
import type { JobState, MailQueue, QueuedMail, QueueTotals } from './mail.ts'
import { toJob } from './rows.ts'
import type { JobRow, TableNames, Tables } from './schema.ts'

const owed: readonly JobState[] = ['queued', 'sending']

export class SqlQueue implements MailQueue {
  readonly #engine: Engine<Tables>
  readonly #names: TableNames

  constructor(engine: Engine<Tables>, names: TableNames) {
    this.#engine = engine
    this.#names = names
  }

  async list(states: readonly JobState[], count: number): Promise<QueuedMail[]> {
    const rows = await this.#engine.run((database) =>
      this.#jobs(database).where('job.state', 'in', states).limit(count).execute(),
    )
    return rows.map(toQueuedMail)
  }

  async find(idOrReference: string): Promise<QueuedMail[]> {
    const rows = await this.#engine.run((database) =>
      this.#jobs(database)
        .where((row) =>
          row.or([
            row('reset.reference', '=', idOrReference),
            row(sql`substr(job.id, 1, ${idOrReference.length})`, '=', idOrReference),
          ]),
        )
        .execute(),
    )
    return rows.map(toQueuedMail)
  }

  retry(id: string, now: number): Promise<boolean> {
    return this.#change(id, now, { state: 'queued', due_at: now, attempts: 0, ended_at: null })
  }

  drop(id: string, now: number): Promise<boolean> {
    return this.#change(id, null, { state: 'dropped', ended_at: now, sealed_address: null })
  }

  async totals(now: number): Promise<QueueTotals> {
    const rows = await this.#engine.run((database) =>
      database
        .selectFrom(this.#names.job)
        .select(['state', (row) => row.fn.countAll<number>().as('count')])
        .select((row) => row.fn.min('created_at').as('oldest'))
        .groupBy('state')
        .execute(),
    )
    const oldest = rows.filter(({ state }) => owed.includes(state)).map((row) => row.oldest)
    const counts = Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)]))
    return {
      ...{ queued: 0, sending: 0, sent: 0, dropped: 0, dead: 0, ...counts },
      oldestMs: oldest.length === 0 ? null : Math.max(0, now - Math.min(...oldest)),
    }
  }

  /** @param sendableAt When there must be something left to send; `null`: that does not matter. */
  async #change(id: string, sendableAt: number | null, values: Partial<JobRow>): Promise<boolean> {
    const result = await this.#engine.write((database) =>
      database
        .updateTable(this.#names.job)
        .set(values)
        .where('id', '=', id)
        .where('state', 'in', ['queued', 'dead'])
        .$if(sendableAt !== null, (query) =>
          query.where('expires_at', '>', sendableAt).where('sealed_address', 'is not', null),
        )
        .executeTakeFirst(),
    )
    return result.numUpdatedRows > 0n
  }

  #jobs(database: Kysely<Tables>) {
    return database
      .selectFrom(`${this.#names.job} as job`)
      .leftJoin(`${this.#names.reset} as reset`, 'reset.id', 'job.reset_id')
      .selectAll('job')
      .select('reset.reference')
      .orderBy('job.created_at', 'desc')
      .orderBy('job.id')
  }
}

function toQueuedMail(row: JobRow & { readonly reference: string | null }): QueuedMail {
  return {
    ...toJob(row),
    state: row.state,
    reference: row.reference ?? '',
    dueAt: row.due_at,
    endedAt: row.ended_at,
    lastError: row.last_error,
  }
}
