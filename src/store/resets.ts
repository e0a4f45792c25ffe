import type { Kysely, SelectQueryBuilder, Transaction } from 'kysely'
import type { CodeTry, TriedCode } from './code.ts'
import { Codes } from './codes.ts'
import type { SqlCounters } from './counters.ts'
import type { Engine } from './engine.ts'
import { ResetRequests } from './request.ts'
import { liveFirst, toReset } from './rows.ts'
import type { ResetRow, TableNames, Tables } from './schema.ts'
import { Spending } from './spending.ts'
import { Statement } from './statement.ts'
import type {
  Allowance,
  Assignment,
  Keys,
  Notice,
  Refused,
  Requested,
  Reset,
  ResetRequest,
  Resets,
} from './store.ts'

type ResetQuery = SelectQueryBuilder<Tables, 'password_reset', ResetRow>

export class SqlResets implements Resets {
  readonly #engine: Engine<Tables>
  readonly #names: TableNames
  readonly #counters: SqlCounters
  readonly #codes: Codes
  readonly #requests: ResetRequests
  readonly #spending: Spending

  constructor(engine: Engine<Tables>, names: TableNames, counters: SqlCounters) {
    this.#engine = engine
    this.#names = names
    this.#counters = counters
    this.#codes = new Codes(names)
    this.#requests = new ResetRequests(names, this.#codes)
    this.#spending = new Spending(names)
  }

  request(request: ResetRequest): Promise<Requested>
  request(request: ResetRequest, allowances: readonly Allowance[]): Promise<Requested | Refused>
  async request(
    request: ResetRequest,
    allowances: readonly Allowance[] = [],
  ): Promise<Requested | Refused> {
    const knownMs = this.#counters.known(allowances, request.now)
    if (knownMs > 0) return { waitMs: knownMs }
    return this.#inTurn(request, async (tables) => {
      const waitMs = await this.#counters.count(tables, allowances, request.now)
      return waitMs > 0 ? { waitMs } : this.#requests.request(tables, request)
    })
  }

  restart(request: ResetRequest): Promise<Reset> {
    return this.#inTurn(request, (tables) => this.#requests.restart(tables, request))
  }

  issue(request: ResetRequest): Promise<Reset> {
    return this.#inTurn(request, (tables) => this.#requests.issue(tables, request))
  }

  /** Those who ask for the same address go one after the other. */
  #inTurn<T>(
    { subjectKeys }: ResetRequest,
    work: (tables: Transaction<Tables>) => Promise<T>,
  ): Promise<T> {
    return this.#engine.transaction(work, subjectKeys.map(turnOf))
  }

  readonly #byToken = new Statement((database: Kysely<Tables>, given: { tokenHash: string }) =>
    database.selectFrom(this.#names.reset).selectAll().where('token_hash', '=', given.tokenHash),
  )

  async findByToken(tokenHash: string): Promise<Reset | null> {
    const row = await this.#engine.run((database) => this.#byToken.first(database, { tokenHash }))
    return row ? toReset(row) : null
  }

  readonly #byId = new Statement((database: Kysely<Tables>, given: { id: string }) =>
    database.selectFrom(this.#names.reset).selectAll().where('id', '=', given.id),
  )

  async find(id: string): Promise<Reset | null> {
    const row = await this.#engine.run((database) => this.#byId.first(database, { id }))
    return row ? toReset(row) : null
  }

  readonly #bind = new Statement((tables: Kysely<Tables>, given: Assignment) =>
    tables
      .updateTable(this.#names.reset)
      .set({ user_id: given.userId, account_mark: given.accountMark, locale: given.locale })
      .where('id', '=', given.resetId)
      .where('state', '=', 'live'),
  )

  readonly #endOthers = new Statement((tables: Kysely<Tables>, given: Assignment) =>
    tables
      .updateTable(this.#names.reset)
      .set({ state: 'replaced', ended_at: given.now })
      .where('user_id', '=', given.userId)
      .where('id', '<>', given.resetId)
      .where('state', '=', 'live'),
  )

  async assign(to: Assignment): Promise<void> {
    await this.#engine.transaction(
      async (tables) => {
        await this.#bind.change(tables, to)
        await this.#endOthers.change(tables, to)
      },
      [`user ${to.userId}`],
    )
  }

  spend(id: string, now: number, notices: readonly Notice[]): Promise<boolean> {
    return this.#engine.transaction((tables) => this.#spending.spend(tables, id, now, notices))
  }

  async confirm(id: string, now: number): Promise<void> {
    await this.#engine.write((database) => this.#spending.confirm(database, id, now))
  }

  async release(id: string, now: number): Promise<void> {
    const reset = await this.find(id)
    if (reset === null) return
    const turns = [turnOf(reset.subjectKey)]
    await this.#engine.transaction((tables) => this.#spending.release(tables, reset, now), turns)
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
      (tables) => this.#codes.try(tables, attempt),
      reset === null ? [] : [turnOf(reset.subjectKey)],
    )
  }

  async isLockedToday(
    { subjectKey }: Reset,
    now: number,
    mostDailyTries: number,
  ): Promise<boolean> {
    const until = await this.#engine.run((database) =>
      this.#codes.findDailyLock(database, subjectKey, { now, mostDailyTries }),
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
}

function turnOf(subjectKey: string): string {
  return `subject ${subjectKey}`
}
