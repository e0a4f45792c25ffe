import type { Kysely, Transaction } from 'kysely'
import { clockSlackMs } from '../clock.ts'
import type { TableNames, Tables } from './schema.ts'
import { Statement } from './statement.ts'
import type { ResetRequest } from './store.ts'

/** The mails that an address was granted: they are what its limits count. */
export class Granted {
  readonly #names: TableNames

  constructor(names: TableNames) {
    this.#names = names
  }

  /** Whether every limit of a request has room for one mail more. */
  async isWithin(
    tables: Transaction<Tables>,
    { limits, subjectKeys: [subject], now }: ResetRequest,
  ): Promise<boolean> {
    if (limits.length === 0) return true
    const recent = await this.#recent.rows(tables, {
      subject,
      after: now - Math.max(...limits.map((limit) => limit.windowMs)),
      until: now + clockSlackMs,
      count: Math.max(...limits.map((limit) => limit.count)),
    })
    return limits.every(
      ({ count, windowMs }) =>
        recent.filter((job) => job.created_at > now - windowMs).length < count,
    )
  }

  readonly #recent = new Statement(
    (
      tables: Kysely<Tables>,
      given: { subject: string; after: number; until: number; count: number },
    ) =>
      tables
        .selectFrom(this.#names.job)
        .select('created_at')
        .where('subject_key', '=', given.subject)
        .where('kind', '<>', 'changed')
        .where('created_at', '>', given.after)
        .where('created_at', '<=', given.until)
        .orderBy('created_at', 'desc')
        .limit(given.count),
  )
}
