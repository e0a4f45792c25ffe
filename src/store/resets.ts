import type { SelectQueryBuilder } from 'kysely'
import type { CodeTry, TriedCode } from './code.ts'
import { findDailyLock, tryCode } from './codes.ts'
import type { Engine } from './engine.ts'
import { issueReset, requestReset, restartReset } from './request.ts'
import { liveFirst, queueJob, toReset } from './rows.ts'
import type { ResetRow, TableNames, Tables } from './schema.ts'
import type { Assignment, Keys, Notice, Requested, Reset, ResetRequest, Resets } from './store.ts'

type ResetQuery = SelectQueryBuilder<Tables, 'password_reset', ResetRow>

export class SqlResets implements Resets {
  readonly #engine: Engine<Tables>
  readonly #names: TableNames

  constructor(engine: Engine<Tables>, names: TableNames) {
    this.#engine = engine
    this.#names = names
  }

  request(request: ResetRequest): Promise<Requested> {
    return this.#engine.transaction(
      (tables) => requestReset(tables, this.#names, request),
      request.subjectKeys.map(turnOf),
    )
  }

  restart(request: ResetRequest): Promise<Reset> {
    return this.#engine.transaction(
      (tables) => restartReset(tables, this.#names, request),
      request.subjectKeys.map(turnOf),
    )
  }

  issue(request: ResetRequest): Promise<Reset> {
    return this.#engine.transaction(
      (tables) => issueReset(tables, this.#names, request),
      request.subjectKeys.map(turnOf),
    )
  }

  async findByToken(tokenHash: string): Promise<Reset | null> {
    return this.#findBy('token_hash', tokenHash)
  }

  async find(id: string): Promise<Reset | null> {
    return this.#findBy('id', id)
  }

  async assign(to: Assignment): Promise<void> {
    await this.#engine.transaction(
      async (tables) => {
        await tables
          .updateTable(this.#names.reset)
          .set({ user_id: to.userId, account_mark: to.accountMark, locale: to.locale })
          .where('id', '=', to.resetId)
          .where('state', '=', 'live')
          .execute()
        await tables
          .updateTable(this.#names.reset)
          .set({ state: 'replaced', ended_at: to.now })
          .where('user_id', '=', to.userId)
          .where('id', '<>', to.resetId)
          .where('state', '=', 'live')
          .execute()
      },
      [`user ${to.userId}`],
    )
  }

  async spend(id: string, now: number, notices: readonly Notice[]): Promise<boolean> {
    return this.#engine.transaction(async (tables) => {
      // Finding and spending in one statement: two callers cannot both see it live.
      const spent = await tables
        .updateTable(this.#names.reset)
        .set({ state: 'used', ended_at: now })
        .where('id', '=', id)
        .where('state', '=', 'live')
        .where('expires_at', '>', now)
        .executeTakeFirst()
      if (spent.numUpdatedRows === 0n) return false
      // Those of an earlier try, which came to nothing: one change is told once.
      await tables
        .deleteFrom(this.#names.job)
        .where('reset_id', '=', id)
        .where('kind', '=', 'changed')
        .where('state', '=', 'queued')
        .execute()
      for (const notice of notices) {
        await queueJob(tables, this.#names, {
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
      }
      return true
    })
  }

  async confirm(id: string, now: number): Promise<void> {
    await this.#engine.write((database) =>
      database
        .updateTable(this.#names.job)
        .set({ due_at: now })
        .where('reset_id', '=', id)
        .where('kind', '=', 'changed')
        .where('state', '=', 'queued')
        .execute(),
    )
  }

  async release(id: string, now: number): Promise<void> {
    const reset = await this.find(id)
    if (reset === null) return
    await this.#engine.transaction(
      async (tables) => {
        const other = await tables
          .selectFrom(this.#names.reset)
          .select('id')
          .where('subject_key', '=', reset.subjectKey)
          .where('state', '=', 'live')
          .executeTakeFirst()
        // Whoever has asked again meanwhile has another one: no account has two.
        const state = other === undefined ? 'live' : 'replaced'
        await tables
          .updateTable(this.#names.reset)
          .set({ state, ...(state === 'live' ? { ended_at: null } : {}) })
          .where('id', '=', id)
          .where('state', '=', 'used')
          .where('expires_at', '>', now)
          .execute()
      },
      [turnOf(reset.subjectKey)],
    )
  }

  async revoke(id: string, now: number): Promise<void> {
    const userId = (await this.find(id))?.userId ?? null
    await this.#engine.write((database) =>
      database
        .updateTable(this.#names.reset)
        .set({ state: 'revoked', ended_at: now })
        .where('state', '=', 'live')
        .where((row) => row.or([row('id', '=', id), row('user_id', '=', userId)]))
        .execute(),
    )
  }

  async end(id: string, state: 'expired' | 'revoked', now: number): Promise<void> {
    await this.#engine.write((database) =>
      database
        .updateTable(this.#names.reset)
        .set({ state, ended_at: now })
        .where('id', '=', id)
        .where('state', '=', 'live')
        .execute(),
    )
  }

  findByReference(reference: string): Promise<Reset | null> {
    return this.#newest((query) => query.where('reference', '=', reference))
  }

  findBySubject(subjectKeys: Keys): Promise<Reset | null> {
    return this.#newest((query) => query.where('subject_key', 'in', subjectKeys))
  }

  async tryCode(attempt: CodeTry): Promise<TriedCode> {
    // The tries of an address are counted together: they take turns.
    const reset = await this.find(attempt.resetId)
    return this.#engine.transaction(
      (tables) => tryCode(tables, this.#names, attempt),
      reset === null ? [] : [turnOf(reset.subjectKey)],
    )
  }

  async isLockedToday(
    { subjectKey }: Reset,
    now: number,
    mostDailyTries: number,
  ): Promise<boolean> {
    const until = await this.#engine.run((database) =>
      findDailyLock(database, this.#names, subjectKey, { now, mostDailyTries }),
    )
    return until !== null
  }

  async #newest(narrow: (query: ResetQuery) => ResetQuery): Promise<Reset | null> {
    const row = await this.#engine.run((database) =>
      narrow(database.selectFrom(this.#names.reset).selectAll())
        .orderBy(liveFirst)
        .orderBy('made_at', 'desc')
        .limit(1)
        .executeTakeFirst(),
    )
    return row ? toReset(row) : null
  }

  async #findBy(column: 'id' | 'token_hash', value: string): Promise<Reset | null> {
    const row = await this.#engine.run((database) =>
      database
        .selectFrom(this.#names.reset)
        .selectAll()
        .where(column, '=', value)
        .executeTakeFirst(),
    )
    return row ? toReset(row) : null
  }
}

function turnOf(subjectKey: string): string {
  return `subject ${subjectKey}`
}
