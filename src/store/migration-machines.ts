import { type Kysely, sql } from 'kysely'
import type { Dialect } from './dialect.ts'
import type { Made } from './migration-first.ts'
import { tableNames } from './schema.ts'

/** What machines that share a store know of each other. */
export function machines(
  database: Kysely<never>,
  { keyType, timeType, tableOptions, turns }: Dialect,
  prefix: string,
): readonly Made[] {
  const options = sql.raw(tableOptions)
  const keys = database.schema
    .createTable(tableNames(prefix).key)
    .addColumn('id', keyType, (column) => column.primaryKey().notNull())
    .addColumn('used_at', timeType, (column) => column.notNull())
    .modifyEnd(options)
  if (turns === null) return [keys]
  // One row a turn: a transaction that changes one holds it until it ends.
  const table = database.schema
    .createTable(turns.table)
    .addColumn('slot', 'integer', (column) => column.primaryKey().notNull())
    .addColumn('taken', timeType, (column) => column.notNull())
    .modifyEnd(options)
  const rows = Array.from({ length: turns.count }, (_, slot) => sql`(${slot}, 0)`)
  const fill = sql`insert ignore into ${sql.table(turns.table)} values ${sql.join(rows)}`
  return [keys, table, { execute: () => fill.execute(database) }]
}
