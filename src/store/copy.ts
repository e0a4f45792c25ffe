import type { Kysely } from 'kysely'
import { ForgotError } from '../errors.ts'
import type { Engine } from './engine.ts'
import { type TableNames, type Tables, tableNames } from './schema.ts'

/** An opened database and the prefix of its tables, which are of the newest version. */
export interface CopyEnd {
  readonly engine: Engine<Tables>
  readonly prefix: string
}

const batch = 500

/**
 * Copies every recovery, mail job and event into an empty store, in one transaction: links and codes that
 * were mailed work there as well. What clients did is counted anew. How many rows there were.
 *
 * @throws {ForgotError} `ERR_FORGOT_STORE` when the other store holds something already.
 */
export async function copyStore(from: CopyEnd, to: CopyEnd): Promise<number> {
  const [source, target] = [tableNames(from.prefix), tableNames(to.prefix)]
  return to.engine.transaction(async (tables) => {
    let count = 0
    for (const table of Object.keys(target) as (keyof TableNames)[]) {
      if ((await read(tables, target[table], '', 1)).length > 0) {
        const { key, name } = to.engine.place
        const remedy = 'name an empty one, or another prefix'
        throw new ForgotError('ERR_FORGOT_STORE', `${key}: ${name} is in use already: ${remedy}`)
      }
      count += await copyTable(from.engine, source[table], tables, target[table])
    }
    return count
  })
}

async function copyTable<Table extends keyof Tables>(
  source: Engine<Tables>,
  from: Table,
  tables: Kysely<Tables>,
  to: Table,
): Promise<number> {
  let count = 0
  let last = ''
  for (;;) {
    const rows = await source.run((database) => read(database, from, last, batch))
    if (rows.length === 0) return count
    await tables
      .insertInto(to)
      .values(rows as never)
      .execute()
    count += rows.length
    last = rows.at(-1)?.id ?? ''
  }
}

/** The rows that follow an id, in their order. */
function read<Table extends keyof Tables>(
  database: Kysely<Tables>,
  table: Table,
  after: string,
  count: number,
): Promise<{ id: string }[]> {
  const query = database.selectFrom(table as 'mail_job').selectAll()
  return query.where('id', '>', after).orderBy('id').limit(count).execute()
}
