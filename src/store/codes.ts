import { type Kysely, sql, type Transaction } from 'kysely'
import { clockSlackMs } from '../clock.ts'
import type { CodeTry, TriedCode } from './code.ts'
import { toReset } from './rows.ts'
import type { ResetRow, TableNames, Tables } from './schema.ts'
import { Statement } from './statement.ts'
import type { Reset, ResetRequest } from './store.ts'

const dayMs = 24 * 3_600_000

/** The codes of resets: their tries, and their renewal. */
export class Codes {
  readonly #names: TableNames

  constructor(names: TableNames) {
    this.#names = names
  }

  /**
   * Counts a try, compares, and takes a right one back. What became of the recovery plays no part in it: used
   * or revoked, it answers like one that never had an account.
   */
  async try(tables: Transaction<Tables>, attempt: CodeTry): Promise<TriedCode> {
    const { resetId: id, now, mostTries, mostDailyTries } = attempt
    const row = await this.#find.first(tables, { id })
    if (row === undefined) return { verdict: 'ended', reset: null, lockedUntil: null }
    const told = { reset: toReset(row), lockedUntil: null }
    if (row.code_expires_at === null || row.code_expires_at <= now) {
      await this.#expire.change(tables, { id })
      return { ...told, verdict: 'ended' }
    }
    if (row.code_tries >= mostTries) return { ...told, verdict: 'locked' }
    const lockedUntil = await this.findDailyLock(tables, row.subject_key, { now, mostDailyTries })
    if (lockedUntil !== null) return { ...told, verdict: 'locked-today', lockedUntil }
    const counted = await this.#count(tables, attempt)
    if (counted === undefined) return { ...told, verdict: 'locked' }
    const reset = toReset(counted)
    if (!attempt.isRight(reset)) return { verdict: 'wrong', reset, lockedUntil: null }
    await this.#takeBack.change(tables, { id })
    return { verdict: 'right', reset: toReset(row), lockedUntil: null }
  }

  /** The reset with a code that is good for a mail. */
  async renew(tables: Transaction<Tables>, request: ResetRequest, reset: Reset): Promise<Reset> {
    const code = codeFor(reset, request)
    if (code === null || code === reset.code) return reset
    const { generation, expiresAt } = code
    await this.#renew.change(tables, { id: reset.id, generation, expiresAt })
    return { ...reset, code }
  }

  /**
   * When the codes of an address can be tried again, after all of the day's tries; `null` when they can now. A
   * reset whose last try was within the day counts with all of its tries: too many at times, and never too few.
   */
  async findDailyLock(
    database: Kysely<Tables>,
    subject: string,
    { now, mostDailyTries }: Pick<CodeTry, 'now' | 'mostDailyTries'>,
  ): Promise<number | null> {
    const today = await this.#today.first(database, {
      subject,
      after: now - dayMs,
      until: now + clockSlackMs,
    })
    const { tries = 0, first = null } = today ?? {}
    return Number(tries ?? 0) < mostDailyTries || first === null ? null : first + dayMs
  }

  /** In one statement with its condition: of any number of simultaneous tries no more than allowed are counted. */
  async #count(
    tables: Transaction<Tables>,
    { resetId: id, now, mostTries }: CodeTry,
  ): Promise<ResetRow | undefined> {
    const isCounted = (await this.#addTry.change(tables, { id, now, mostTries })) > 0
    return isCounted ? this.#find.first(tables, { id }) : undefined
  }

  readonly #find = new Statement((tables: Kysely<Tables>, given: { id: string }) =>
    tables.selectFrom(this.#names.reset).selectAll().where('id', '=', given.id),
  )

  readonly #today = new Statement(
    (tables: Kysely<Tables>, given: { subject: string; after: number; until: number }) =>
      tables
        .selectFrom(this.#names.reset)
        .select([
          sql<number | string | null>`sum(tries)`.as('tries'),
          sql<number | null>`min(tried_at)`.as('first'),
        ])
        .where('subject_key', '=', given.subject)
        .where('tries', '>', 0)
        .where('tried_at', '>', given.after)
        .where('tried_at', '<=', given.until),
  )

  readonly #addTry = new Statement(
    (tables: Kysely<Tables>, given: { id: string; now: number; mostTries: number }) =>
      tables
        .updateTable(this.#names.reset)
        .set((row) => ({
          code_tries: row('code_tries', '+', 1),
          tries: row('tries', '+', 1),
          tried_at: given.now,
        }))
        .where('id', '=', given.id)
        .where('code_tries', '<', given.mostTries),
  )

  readonly #takeBack = new Statement((tables: Kysely<Tables>, given: { id: string }) =>
    tables
      .updateTable(this.#names.reset)
      .set((row) => ({ code_tries: row('code_tries', '-', 1), tries: row('tries', '-', 1) }))
      .where('id', '=', given.id),
  )

  /** Written down, so that a clock that jumps back does not revive it. */
  readonly #expire = new Statement((tables: Kysely<Tables>, given: { id: string }) =>
    tables
      .updateTable(this.#names.reset)
      .set({ code_expires_at: 0 })
      .where('id', '=', given.id)
      .where('code_expires_at', '>', 0),
  )

  readonly #renew = new Statement(
    (tables: Kysely<Tables>, given: { id: string; generation: number; expiresAt: number }) =>
      tables
        .updateTable(this.#names.reset)
        .set({
          code_generation: given.generation,
          code_expires_at: given.expiresAt,
          code_tries: 0,
        })
        .where('id', '=', given.id),
  )
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
