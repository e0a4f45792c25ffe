import { type Kysely, sql, type Transaction } from 'kysely'
import type { CodeTry, TriedCode } from './code.ts'
import { toReset } from './rows.ts'
import type { ResetRow, TableNames, Tables } from './schema.ts'
import type { Reset, ResetRequest } from './store.ts'

const dayMs = 24 * 3_600_000

/**
 * Counts a try, compares, and takes a right one back. What became of the recovery plays no part in it: used
 * or revoked, it answers like one that never had an account.
 */
export async function tryCode(
  tables: Transaction<Tables>,
  names: TableNames,
  attempt: CodeTry,
): Promise<TriedCode> {
  const { resetId, now, mostTries, mostDailyTries } = attempt
  const row = await findRow(tables, names, resetId)
  if (row === undefined) return { verdict: 'ended', reset: null, lockedUntil: null }
  const told = { reset: toReset(row), lockedUntil: null }
  if (row.code_expires_at === null || row.code_expires_at <= now) {
    await expireCode(tables, names, resetId)
    return { ...told, verdict: 'ended' }
  }
  if (row.code_tries >= mostTries) return { ...told, verdict: 'locked' }
  const lockedUntil = await findDailyLock(tables, names, row.subject_key, { now, mostDailyTries })
  if (lockedUntil !== null) return { ...told, verdict: 'locked-today', lockedUntil }
  const counted = await count(tables, names, attempt)
  if (counted === undefined) return { ...told, verdict: 'locked' }
  const reset = toReset(counted)
  if (!attempt.isRight(reset)) return { verdict: 'wrong', reset, lockedUntil: null }
  await takeBack(tables, names, resetId)
  return { verdict: 'right', reset: toReset(row), lockedUntil: null }
}

/** The reset with a code that is good for a mail. */
export async function renew(
  tables: Transaction<Tables>,
  names: TableNames,
  request: ResetRequest,
  reset: Reset,
): Promise<Reset> {
  const code = codeFor(reset, request)
  if (code === reset.code) return reset
  await tables
    .updateTable(names.reset)
    .set({ code_generation: code?.generation, code_expires_at: code?.expiresAt, code_tries: 0 })
    .where('id', '=', reset.id)
    .execute()
  return { ...reset, code }
}

/** A new code where there is none, or it is past half of its life or locked; else the one there is. */
export function codeFor(
  { code, expiresAt }: Pick<Reset, 'code' | 'expiresAt'>,
  { code: rules, now }: ResetRequest,
): Reset['code'] {
  if (rules === null) return code
  const isGood =
    code !== null && now < code.expiresAt - rules.lifetimeMs / 2 && code.tries < rules.mostTries
  if (isGood) return code
  return {
    generation: (code?.generation ?? 0) + 1,
    expiresAt: Math.min(now + rules.lifetimeMs, expiresAt),
    tries: 0,
  }
}

/**
 * When the codes of an address can be tried again, after all of the day's tries; `null` when they can now. A
 * reset whose last try was within the day counts with all of its tries: too many at times, and never too few.
 */
export async function findDailyLock(
  database: Kysely<Tables>,
  names: TableNames,
  subjectKey: string,
  { now, mostDailyTries }: Pick<CodeTry, 'now' | 'mostDailyTries'>,
): Promise<number | null> {
  const { tries, first } = await database
    .selectFrom(names.reset)
    .select([
      sql<number | string | null>`sum(tries)`.as('tries'),
      sql<number | null>`min(tried_at)`.as('first'),
    ])
    .where('subject_key', '=', subjectKey)
    .where('tried_at', '>', now - dayMs)
    .executeTakeFirstOrThrow()
  return Number(tries ?? 0) < mostDailyTries || first === null ? null : first + dayMs
}

/** In one statement with its condition: of any number of simultaneous tries no more than allowed are counted. */
async function count(
  tables: Transaction<Tables>,
  names: TableNames,
  { resetId, now, mostTries }: CodeTry,
): Promise<ResetRow | undefined> {
  const counted = await tables
    .updateTable(names.reset)
    .set((row) => ({
      code_tries: row('code_tries', '+', 1),
      tries: row('tries', '+', 1),
      tried_at: now,
    }))
    .where('id', '=', resetId)
    .where('code_tries', '<', mostTries)
    .executeTakeFirst()
  return counted.numUpdatedRows === 0n ? undefined : findRow(tables, names, resetId)
}

async function takeBack(tables: Transaction<Tables>, names: TableNames, id: string): Promise<void> {
  await tables
    .updateTable(names.reset)
    .set((row) => ({ code_tries: row('code_tries', '-', 1), tries: row('tries', '-', 1) }))
    .where('id', '=', id)
    .execute()
}

/** Written down, so that a clock that jumps back does not revive it. */
async function expireCode(
  tables: Transaction<Tables>,
  names: TableNames,
  id: string,
): Promise<void> {
  await tables
    .updateTable(names.reset)
    .set({ code_expires_at: 0 })
    .where('id', '=', id)
    .where('code_expires_at', '>', 0)
    .execute()
}

function findRow(
  tables: Transaction<Tables>,
  names: TableNames,
  id: string,
): Promise<ResetRow | undefined> {
  return tables.selectFrom(names.reset).selectAll().where('id', '=', id).executeTakeFirst()
}
