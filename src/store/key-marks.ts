import type { Milliseconds } from '../units.ts'
import type { Engine } from './engine.ts'
import type { TableNames, Tables } from './schema.ts'
import type { KeyMarks, Keys } from './store.ts'

// What is written down once an hour is enough for what counts in days.
const restMs = 3_600_000

export class SqlKeyMarks implements KeyMarks {
  readonly #engine: Engine<Tables>
  readonly #names: TableNames

  constructor(engine: Engine<Tables>, names: TableNames) {
    this.#engine = engine
    this.#names = names
  }

  async use(marks: Keys, now: number, withinMs: Milliseconds): Promise<boolean> {
    const [newest] = marks
    const { key } = this.#names
    return this.#engine.transaction(
      async (tables) => {
        const used = await tables
          .selectFrom(key)
          .selectAll()
          .where('used_at', '>', now - withinMs)
          .execute()
        if (!used.every(({ id }) => marks.includes(id))) return false
        if (used.some(({ id, used_at }) => id === newest && used_at > now - restMs)) return true
        await tables.deleteFrom(key).where('id', '=', newest).execute()
        await tables.insertInto(key).values({ id: newest, used_at: now }).execute()
        return true
      },
      ['key marks'],
    )
  }

  async forget(): Promise<void> {
    await this.#engine.write((database) => database.deleteFrom(this.#names.key).execute())
  }
}
