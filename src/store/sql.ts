import { sql } from 'kysely'
import type { Milliseconds } from '../units.ts'
import { SqlAudit } from './audit.ts'
import { SqlCounters } from './counters.ts'
import { type Engine, isBusy } from './engine.ts'
import { SqlJobs } from './jobs.ts'
import { SqlKeyMarks } from './key-marks.ts'
import type { Jobs, MailQueue } from './mail.ts'
import { migrate, migrationRemedy } from './migrations.ts'
import { SqlQueue } from './queue.ts'
import { SqlResets } from './resets.ts'
import { limitTable, type TableNames, type Tables, tableNames } from './schema.ts'
import type { Audit, KeyMarks, Resets, Store } from './store.ts'

// Half a year: long enough to look into what is noticed late.
const auditMs = 180 * 24 * 3_600_000

/** The store on any SQL engine. */
export class SqlStore implements Store {
  readonly resets: Resets
  readonly jobs: Jobs
  readonly queue: MailQueue
  readonly audit: Audit
  readonly keyMarks: KeyMarks
  readonly counters: SqlCounters
  readonly #engine: Engine<Tables>
  readonly #names: TableNames

  private constructor(engine: Engine<Tables>, prefix: string) {
    const names = tableNames(prefix)
    this.#engine = engine
    this.#names = names
    this.counters = new SqlCounters(engine, limitTable(prefix))
    this.resets = new SqlResets(engine, names, this.counters)
    this.jobs = new SqlJobs(engine, names)
    this.queue = new SqlQueue(engine, names)
    this.audit = new SqlAudit(engine, names)
    this.keyMarks = new SqlKeyMarks(engine, names)
  }

  /**
   * The store in an opened database, its tables made or brought up to date.
   *
   * @param prefix Put before the names of its tables.
   * @throws {ForgotError} `ERR_FORGOT_STORE` when it cannot be written, or the tables cannot be made or
   *   are too new.
   */
  static async open(engine: Engine<Tables>, prefix: string): Promise<SqlStore> {
    await engine.checkWritable()
    try {
      await migrate(engine, prefix)
    } catch (error) {
      if (isBusy(error)) throw error
      throw engine.unusable('cannot be migrated', error, migrationRemedy)
    }
    return new SqlStore(engine, prefix)
  }

  async prune(now: number, before: number, count: number): Promise<boolean> {
    await this.#engine.write((database) =>
      database
        .updateTable(this.#names.reset)
        .set((row) => ({ state: 'expired', ended_at: row.ref('expires_at') }))
        .where('ended_at', 'is', null)
        .where('expires_at', '<=', now)
        .execute(),
    )
    const { reset, job, audit } = this.#names
    // A mail that was given up can be tried again until there is nothing left to send.
    await this.#engine.write((database) =>
      database
        .updateTable(job)
        .set({ sealed_address: null })
        // All that has ended, since an index begins with that.
        .where('ended_at', '>', 0)
        .where('state', '=', 'dead')
        .where('expires_at', '<=', now)
        .where('sealed_address', 'is not', null)
        .execute(),
    )
    const deleted = [
      // By its end and not by when it was used: else a row that is gone would tell that it was.
      await this.#deleteOld(reset, 'expires_at', before, count),
      await this.#deleteOld(job, 'ended_at', before, count),
      await this.#deleteOld(audit, 'at', now - auditMs, count),
      await this.counters.prune(now, count),
    ]
    const mayBeMore = deleted.includes(count)
    // Deleted rows live on in the log of writes until that is emptied.
    if (!mayBeMore) await this.#engine.run((database) => this.#engine.dialect.forget(database))
    return mayBeMore
  }

  settle(): Promise<void> {
    return this.#engine.run((database) => this.#engine.dialect.settle(database))
  }

  async clockSkew(now: number): Promise<Milliseconds> {
    const theirs = await this.#engine.run((database) => this.#engine.dialect.now(database))
    return theirs === null ? 0 : now - theirs
  }

  async check(): Promise<void> {
    const query = sql`select 1 from ${sql.table(this.#names.reset)} limit 1`
    await this.#engine.run((database) => query.execute(database))
    // Kept, unlike a rehearsal: a full disk shows only then.
    await this.#engine.transaction((tables) => this.#engine.dialect.touch(tables))
  }

  close(): Promise<void> {
    return this.#engine.close()
  }

  /** In batches: a long delete would keep every request waiting. */
  async #deleteOld<Table extends TableNames[keyof TableNames]>(
    table: Table,
    column: keyof Tables[Table] & string,
    before: number,
    count: number,
  ): Promise<number> {
    const old = sql<{ id: string }>`
      select id from ${sql.table(table)} where ${sql.ref(column)} < ${before} limit ${count}`
    const { rows } = await this.#engine.run((database) => old.execute(database))
    if (rows.length === 0) return 0
    const ids = sql.join(rows.map(({ id }) => id))
    const remove = sql`delete from ${sql.table(table)} where id in (${ids})`
    await this.#engine.write((database) => remove.execute(database))
    return rows.length
  }
}
