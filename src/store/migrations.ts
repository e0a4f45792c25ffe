import type { Kysely } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { ForgotError } from '../errors.ts'
import type { Dialect } from './dialect.ts'
import type { Engine } from './engine.ts'
import { first, type Made } from './migration-first.ts'
import { machines } from './migration-machines.ts'
import type { Tables } from './schema.ts'

/**
 * Brings the tables to the version that this code knows. Several processes may try at once; one does it.
 *
 * @throws {ForgotError} `ERR_FORGOT_STORE` when the tables are of a later version or cannot be changed.
 */
export async function migrate(engine: Engine<Tables>, prefix: string): Promise<void> {
  await engine.run((database) => migrateWith(database, engine.dialect, prefix))
}

async function migrateWith(
  database: Kysely<Tables>,
  dialect: Dialect,
  prefix: string,
): Promise<void> {
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: async () => migrations(dialect, prefix) },
    migrationTableName: `${prefix}migration`,
    migrationLockTableName: `${prefix}migration_lock`,
  })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  if (dialect.judge(error) === 'busy') throw error
  const why = error instanceof Error ? error.message : String(error)
  throw new ForgotError('ERR_FORGOT_STORE', `The tables of the store cannot be migrated: ${why}`, {
    cause: error,
  })
}

function migrations(dialect: Dialect, prefix: string): Record<string, Migration> {
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
  }
}

/** What an interrupted migration has made already is taken as it is, where it could not be undone. */
async function make(dialect: Dialect, made: Made): Promise<void> {
  try {
    await made.execute()
  } catch (error) {
    if (!dialect.isMade(error)) throw error
  }
}
