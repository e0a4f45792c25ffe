import { randomBytes } from 'node:crypto'
import type { Kysely, Transaction } from 'kysely'
import type { RecoveryEvent } from '../events.ts'
import type { Milliseconds } from '../units.ts'
import type { Engine } from './engine.ts'
import type { AuditRow, TableNames, Tables } from './schema.ts'
import { Insertion, Statement } from './statement.ts'
import type { Audit, Keys, TrailEvent } from './store.ts'

// What is older is no news any more: an endpoint that was away for so long asks the table.
const newsMs = 24 * 3_600_000

export class SqlAudit implements Audit {
  readonly #engine: Engine<Tables>
  readonly #names: TableNames
  readonly #events: Insertion<Tables, 'audit_event'>

  constructor(engine: Engine<Tables>, names: TableNames) {
    this.#engine = engine
    this.#names = names
    this.#events = new Insertion(names.audit)
  }

  readonly #owner = new Statement((database: Kysely<Tables>, given: { resetId: string }) =>
    database
      .selectFrom(this.#names.reset)
      .select(['user_id', 'subject_key'])
      .where('id', '=', given.resetId),
  )

  add(events: readonly RecoveryEvent[]): Promise<readonly RecoveryEvent[]> {
    return this.#engine.transaction(async (tables) => {
      const written: RecoveryEvent[] = []
      for (const event of events) {
        const whole = await this.#withOwner(tables, event)
        await this.#events.add(tables, newEvent(whole))
        written.push(whole)
      }
      return written
    })
  }

  /** The courier knows the recovery alone: whose it is stands there. */
  async #withOwner(tables: Transaction<Tables>, event: RecoveryEvent): Promise<RecoveryEvent> {
    const { resetId, userId, subjectKey } = event
    if (resetId === null || userId !== null || subjectKey !== null) return event
    const owner = await this.#owner.first(tables, { resetId })
    return owner ? { ...event, userId: owner.user_id, subjectKey: owner.subject_key } : event
  }

  async claimNext(now: number, leaseMs: Milliseconds): Promise<TrailEvent | null> {
    return this.#engine.transaction(
      async (tables) => {
        const row = await tables
          .selectFrom(this.#names.audit)
          .selectAll()
          .where('told_at', 'is', null)
          .where('at', '>', now - newsMs)
          .orderBy('id')
          .limit(1)
          .executeTakeFirst()
        if (row === undefined || row.due_at > now) return null
        await this.#update(tables, row.id, { due_at: now + leaseMs })
        return toEvent(row)
      },
      ['webhook'],
    )
  }

  async about(subjectKeys: Keys, userId: string | null, count: number): Promise<TrailEvent[]> {
    const rows = await this.#engine.run((database) =>
      database
        .selectFrom(this.#names.audit)
        .selectAll()
        .where((row) =>
          userId === null
            ? row('subject_key', 'in', subjectKeys)
            : row.or([row('subject_key', 'in', subjectKeys), row('user_id', '=', userId)]),
        )
        .orderBy('id', 'desc')
        .limit(count)
        .execute(),
    )
    return rows.map(toEvent)
  }

  async told(id: string, now: number): Promise<void> {
    await this.#engine.write((database) => this.#update(database, id, { told_at: now }))
  }

  async postpone(id: string, dueAt: number): Promise<void> {
    await this.#engine.write((database) => this.#update(database, id, { due_at: dueAt }))
  }

  async #update(
    database: Kysely<Tables>,
    id: string,
    values: Partial<Pick<AuditRow, 'told_at' | 'due_at'>>,
  ): Promise<void> {
    await database.updateTable(this.#names.audit).set(values).where('id', '=', id).execute()
  }
}

/** An event that nobody was told of yet. */
export function newEvent(event: RecoveryEvent): AuditRow {
  return {
    id: nextId(event.at),
    event: event.name,
    at: event.at,
    reset_id: event.resetId,
    user_id: event.userId,
    subject_key: event.subjectKey,
    client: event.client,
    reason: event.reason,
    told_at: null,
    due_at: event.at,
  }
}

function toEvent(row: AuditRow): TrailEvent {
  return {
    id: row.id,
    name: row.event,
    at: row.at,
    resetId: row.reset_id,
    userId: row.user_id,
    subjectKey: row.subject_key,
    client: row.client,
    reason: row.reason,
  }
}

let made = 0

/** Sorts by time, and within a millisecond of one process by the order it was made in. */
function nextId(at: number): string {
  made = (made + 1) % 36 ** 4
  const place = made.toString(36).padStart(4, '0')
  return `${at.toString(36).padStart(9, '0')}-${place}-${randomBytes(6).toString('hex')}`
}
