import { type Kysely, sql, type Transaction } from 'kysely'
import { toReset } from './rows.ts'
import type { ResetRow, TableNames, Tables } from './schema.ts'
import type { CodeTry, CodeVerdict, TriedCode } from './store.ts'

const dayMs = 24 * 3_600_000

/**
 * Counts a try, or finds out why there is none left. The first statement takes the row, so that tries at
 * one address, of which one row at most is live, come one after the other.
 */
export async function tryCode(
  tables: Transaction<Tables>,
  names: TableNames,
  attempt: CodeTry,
): Promise<TriedCode> {
  const counted = await tables
    .updateTable(names.reset)
    .set((row) => ({
      code_tries: row('code_tries', '+', 1),
      tries: row('tries', '+', 1),
      tried_at: attempt.now,
    }))
    .where('id', '=', attempt.resetId)
    .where('state', '=', 'live')
    .where('code_tries', '<', attempt.mostTries)
    .where('code_expires_at', '>', attempt.now)
    .executeTakeFirst()
  const row = await tables
    .selectFrom(names.reset)
    .selectAll()
    .where('id', '=', attempt.resetId)
    .executeTakeFirst()
  if (row === undefined) return { verdict: 'ended', reset: null }
  if (counted.numUpdatedRows === 0n) return { verdict: refusal(row, attempt), reset: toReset(row) }
  if ((await triesToday(tables, names, row, attempt)) <= attempt.mostDailyTries) {
    return { verdict: 'counted', reset: toReset(row) }
  }
  await takeBack(tables, names, attempt.resetId)
  return { verdict: 'locked-today', reset: toReset(row) }
}

/** Uncounts one try. */
export async function takeBack(
  database: Kysely<Tables>,
  names: TableNames,
  id: string,
): Promise<void> {
  await database
    .updateTable(names.reset)
    .set((row) => ({ code_tries: row('code_tries', '-', 1), tries: row('tries', '-', 1) }))
    .where('id', '=', id)
    .where('code_tries', '>', 0)
    .execute()
}

function refusal(row: ResetRow, attempt: CodeTry): CodeVerdict {
  return row.state === 'live' && row.code_tries >= attempt.mostTries ? 'locked' : 'ended'
}

/**
 * Tries at all codes of an address, this one included. A reset whose last try was within the day counts
 * with all of its tries: that may be too many, and never too few.
 */
async function triesToday(
  tables: Transaction<Tables>,
  names: TableNames,
  { subject_key: subjectKey }: ResetRow,
  { now }: CodeTry,
): Promise<number> {
  const { sum } = await tables
    .selectFrom(names.reset)
    .select(sql<number | string | null>`sum(tries)`.as('sum'))
    .where('subject_key', '=', subjectKey)
    .where('tried_at', '>', now - dayMs)
    .executeTakeFirstOrThrow()
  return Number(sum ?? 0)
}
