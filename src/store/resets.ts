import type { Kysely, Transaction } from 'kysely'
import { AskTransaction } from './ask.ts'
import { type Engine, whenFree } from './engine.ts'
import { queueJob, toReset } from './rows.ts'
import type { TableNames, Tables } from './schema.ts'
import type { Ask, Assignment, Notice, Reset, Resets } from './store.ts'

export class SqlResets implements Resets {
  readonly #engine: Engine
  readonly #database: Kysely<Tables>
  readonly #names: TableNames

  constructor(engine: Engine, names: TableNames) {
    this.#engine = engine
    this.#database = engine.database
    this.#names = names
  }

  ask(ask: Ask): Promise<Reset> {
    return this.#transaction((tables) => new AskTransaction(tables, this.#names, ask).run())
  }

  async findByToken(tokenHash: string): Promise<Reset | null> {
    return this.#findBy('token_hash', tokenHash)
  }

  async find(id: string): Promise<Reset | null> {
    return this.#findBy('id', id)
  }

  async assign(to: Assignment): Promise<void> {
    await this.#transaction(async (tables) => {
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
    })
  }

  async spend(id: string, now: number, notices: readonly Notice[]): Promise<boolean> {
    return this.#transaction(async (tables) => {
      // Finding and spending in one statement: two callers cannot both see it live.
      const spent = await tables
        .updateTable(this.#names.reset)
        .set({ state: 'used', ended_at: now })
        .where('id', '=', id)
        .where('state', '=', 'live')
        .where('expires_at', '>', now)
        .executeTakeFirst()
      if (spent.numUpdatedRows === 0n) return false
      for (const notice of notices) {
        await queueJob(tables, this.#names, {
          id: notice.id,
          kind: 'changed',
          reset_id: id,
          subject_key: notice.subjectKey,
          sealed_address: notice.sealedAddress,
          created_at: now,
          expires_at: notice.expiresAt,
          due_at: notice.dueAt,
        })
      }
      return true
    })
  }

  async confirm(id: string, now: number): Promise<void> {
    await whenFree(this.#engine, () =>
      this.#database
        .updateTable(this.#names.job)
        .set({ due_at: now })
        .where('reset_id', '=', id)
        .where('kind', '=', 'changed')
        .where('state', '=', 'queued')
        .execute(),
    )
  }

  async release(id: string, now: number): Promise<void> {
    await this.#transaction(async (tables) => {
      await tables
        .updateTable(this.#names.reset)
        .set({ state: 'live', ended_at: null })
        .where('id', '=', id)
        .where('state', '=', 'used')
        .where('expires_at', '>', now)
        .execute()
      await tables
        .deleteFrom(this.#names.job)
        .where('reset_id', '=', id)
        .where('kind', '=', 'changed')
        .where('state', '=', 'queued')
        .execute()
    })
  }

  async end(id: string, state: 'expired' | 'revoked', now: number): Promise<void> {
    await whenFree(this.#engine, () =>
      this.#database
        .updateTable(this.#names.reset)
        .set({ state, ended_at: now })
        .where('id', '=', id)
        .where('state', '=', 'live')
        .execute(),
    )
  }

  async #findBy(column: 'id' | 'token_hash', value: string): Promise<Reset | null> {
    const row = await whenFree(this.#engine, () =>
      this.#database
        .selectFrom(this.#names.reset)
        .selectAll()
        .where(column, '=', value)
        .executeTakeFirst(),
    )
    return row ? toReset(row) : null
  }

  #transaction<T>(work: (tables: Transaction<Tables>) => Promise<T>): Promise<T> {
    return whenFree(this.#engine, () => this.#database.transaction().execute(work))
  }
}
