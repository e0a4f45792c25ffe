import { type RawBuilder, sql } from 'kysely'
import type { MailJob } from './mail.ts'
import type { JobRow, ResetRow } from './schema.ts'
import type { Reset } from './store.ts'

/** To order by: a row that a wrong clock has put into the future must not hide the one that is live. */
export const liveFirst: RawBuilder<number> = sql`case when state = 'live' then 0 else 1 end`

export function toReset(row: ResetRow): Reset {
  return {
    id: row.id,
    tokenHash: row.token_hash,
    reference: row.reference,
    subjectKey: row.subject_key,
    userId: row.user_id,
    accountMark: row.account_mark,
    locale: row.locale,
    state: row.state,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    code:
      row.code_expires_at === null
        ? null
        : {
            generation: row.code_generation,
            expiresAt: row.code_expires_at,
            tries: row.code_tries,
          },
  }
}

export function toJob(row: JobRow): MailJob {
  return {
    id: row.id,
    kind: row.kind,
    resetId: row.reset_id,
    sealedAddress: row.sealed_address,
    locale: row.locale,
    attempts: row.attempts,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  }
}

/** A mail job that nobody has tried yet. */
export function newJob(
  job: Omit<JobRow, 'state' | 'attempts' | 'ended_at' | 'last_error'>,
): JobRow {
  return { ...job, state: 'queued', attempts: 0, ended_at: null, last_error: null }
}
