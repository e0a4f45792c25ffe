import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { RecoveryEvent } from '../events.ts'
import type { Engine } from './engine.ts'
import type { TableNames, Tables } from './schema.ts'
import type { Audit } from './store.ts'

export class SqlAudit implements Audit {
  readonly #engine: Engine<Tables>
  readonly #names: TableNames

  constructor(engine: Engine<Tables>, names: TableNames) {
    this.#engine = engine
    this.#names = names
  }

  async add(event: RecoveryEvent): Promise<void> {
    await this.#engine.run(async (database) => {
      const { resetId, userId, subjectKey } = event
      // The courier knows the recovery alone: whose it is stands there.
      const isNameless = resetId !== null && userId === null && subjectKey === null
      const row = isNameless ? await this.#ownerOf(database, resetId) : undefined
      await insertEvent(database, this.#names, {
        ...event,
        userId: row?.user_id ?? userId,
        subjectKey: row?.subject_key ?? subjectKey,
      })
    })
  }

  async #ownerOf(database: Kysely<Tables>, resetId: string) {
    return database
      .selectFrom(this.#names.reset)
      .select(['user_id', 'subject_key'])
      .where('id', '=', resetId)
      .executeTakeFirst()
  }
}

export async function insertEvent(
  database: Kysely<Tables>,
  names: TableNames,
  event: RecoveryEvent,
): Promise<void> {
  await database
    .insertInto(names.audit)
    .values({
      id: randomUUID(),
      event: event.name,
      at: event.at,
      reset_id: event.resetId,
      user_id: event.userId,
      subject_key: event.subjectKey,
      client: event.client,
      reason: event.reason,
    })
    .execute()
}
