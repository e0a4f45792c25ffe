import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { ForgotError } from '../errors.ts'
import type { Dialect } from './dialect.ts'
import type { Engine } from './engine.ts'
import { first, type Made } from './migration-first.ts'
import { indexes } from './migration-indexes.ts'
import { machines } from './migration-machines.ts'
import type { Tables } from './schema.ts'

/**
 * Brings the tables to the version that this code knows. Several processes may try at once; one does it.
 *
 * @returns The names of the steps it took; none when the tables were up to date.
 * @throws {ForgotError} `ERR_FORGOT_STORE` when the tables are of a later version or cannot be changed.
 */
export function migrate(engine: Engine<Tables>, prefix: string): Promise<string[]> {
  return engine.run((database) => migrateWith(database, engine.dialect, prefix))
}

// Either a later version was here, or other tables have the names of ours.
export const migrationRemedy =
  'use the version of this module that made its tables, or set another store.url or store.tablePrefix'

type MigrationName = '0001-first' | '0002-machines' | '0003-indexes'

/** The names of all steps, in their order. */
export const migrationNames: readonly MigrationName[] = [
  '0001-first',
  '0002-machines',
  '0003-indexes',
]

/**
 * The names of the steps that {@link migrate} would take; nothing is changed.
 *
 * @throws {ForgotError} `ERR_FORGOT_STORE` when the tables are of a later version.
 */
export async function pendingMigrations(engine: Engine<Tables>, prefix: string): Promise<string[]> {
  const taken = await takenMigrations(engine, `${prefix}migration`)
  const names: readonly string[] = migrationNames
  const unknown = taken.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    const error = new Error(`step ${unknown} is not known to this version`)
    throw engine.unusable('cannot be migrated', error, migrationRemedy)
  }
  return names.filter((name) => !taken.includes(name))
}

function takenMigrations(engine: Engine<Tables>, table: string): Promise<string[]> {
  return engine.run(async (database) => {
    const tables = await engine.dialect.tables(database)
    if (!tables.includes(table)) return []
    const query = sql<{ name: string }>`select name from ${sql.table(table)} order by name`
    return (await query.execute(database)).rows.map(({ name }) => name)
  })
}

async function migrateWith(
  database: Kysely<Tables>,
  dialect: Dialect,
  prefix: string,
): Promise<string[]> {
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: async () => migrations(dialect, prefix) },
    migrationTableName: `${prefix}migration`,
    migrationLockTableName: `${prefix}migration_lock`,
  })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error === undefined) return results.map(({ migrationName }) => migrationName)
  if (dialect.judge(error) === 'busy') throw error
  const why = error instanceof Error ? error.message : String(error)
  throw new ForgotError('ERR_FORGOT_STORE', `The tables of the store cannot be migrated: ${why}`, {
    cause: error,
  })
}

function migrations(dialect: Dialect, prefix: string): Record<MigrationName, Migration> {
  return {
    '0001-first': {
      up: async (database: Kysely<never>) => {
        for (const each of first(database, dialect, prefix)) await make(dialect, each)
      },
    },
    '0002-machines': {
      up: async (database: Kysely<never>) => {
        for (const each of machines(database, dialect, prefix)) await make(dialect, each)
      },
    },
    '0003-indexes': {
      up: async (database: Kysely<never>) => {
        for (const each of indexes(database, dialect, prefix)) await make(dialect, each)
      },
    },
  }
}

/** What an interrupted migration has done already is taken as it is, where it could not be undone. */
async function make(dialect: Dialect, made: Made): Promise<void> {
  try {
    await made.execute()
  } catch (error) {
    if (!dialect.isDone(error)) throw error
  }
}
