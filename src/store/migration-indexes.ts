import type { Kysely } from 'kysely'
import type { Dialect } from './dialect.ts'
import type { Made } from './migration-first.ts'
import { limitTable, tableNames } from './schema.ts'

/**
 * Indexes that begin with whether a row has ended, in the place of those that began with its state. SQLite, which
 * knows nothing of how many rows there are of each, took the state of an address's recoveries for the better way
 * to find them than the address, and read every recovery that was open. And the queue is read in its order now,
 * which those could not give. Counters are deleted by their end.
 */
export function indexes(
  database: Kysely<never>,
  { hasIndexesOfTables }: Dialect,
  prefix: string,
): readonly Made[] {
  const { reset, job } = tableNames(prefix)
  const make = (table: string, columns: readonly string[]) =>
    database.schema
      .createIndex(`${table}_${columns.join('_')}`)
      .on(table)
      .columns([...columns] as never[])
  const drop = (table: string, columns: readonly string[]) => {
    const index = database.schema.dropIndex(`${table}_${columns.join('_')}`)
    return hasIndexesOfTables ? index.on(table) : index
  }
  return [
    make(reset, ['ended_at', 'expires_at']),
    drop(reset, ['state', 'expires_at']),
    make(job, ['ended_at', 'due_at', 'created_at', 'state']),
    drop(job, ['state', 'due_at']),
    drop(job, ['ended_at']),
    make(limitTable(prefix), ['expire']),
  ]
}
