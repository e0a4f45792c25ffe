import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { ForgotError } from '../errors.ts'
import type { Engine } from './engine.ts'
import { tableNames } from './schema.ts'

/**
 * Brings the tables to the version that this code knows. Several processes may try at once; one does it.
 *
 * @throws {ForgotError} `ERR_FORGOT_STORE` when the tables are of a later version or cannot be changed.
 */
export async function migrate(engine: Engine, prefix: string): Promise<void> {
  const migrator = new Migrator({
    db: engine.database,
    provider: { getMigrations: async () => migrations(engine, prefix) },
    migrationTableName: `${prefix}migration`,
    migrationLockTableName: `${prefix}migration_lock`,
  })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  if (engine.judge(error) === 'busy') throw error
  const why = error instanceof Error ? error.message : String(error)
  throw new ForgotError('ERR_FORGOT_STORE', `The tables of the store cannot be migrated: ${why}`, {
    cause: error,
  })
}

function migrations(engine: Engine, prefix: string): Record<string, Migration> {
  return {
    '0001-first': { up: (database: Kysely<never>) => first(database, engine, prefix) },
  }
}

async function first(database: Kysely<never>, engine: Engine, prefix: string): Promise<void> {
  const names = tableNames(prefix)
  await createResets(database, engine, names.reset)
  await createJobs(database, engine, names.job)
  for (const [table, columns] of [
    [names.reset, ['address_key', 'state']],
    [names.reset, ['user_id', 'state']],
    [names.reset, ['state', 'expires_at']],
    [names.reset, ['ended_at']],
    [names.job, ['state', 'due_at']],
    [names.job, ['subject_key', 'created_at']],
    [names.job, ['reset_id']],
    [names.job, ['ended_at']],
  ] as const) {
    const name = `${table}_${columns.join('_')}`
    await database.schema
      .createIndex(name)
      .on(table)
      .columns([...columns] as never[])
      .execute()
  }
}

async function createResets(database: Kysely<never>, engine: Engine, name: string): Promise<void> {
  await database.schema
    .createTable(name)
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('token_hash', 'text', (column) => column.notNull().unique())
    .addColumn('reference', 'text', (column) => column.notNull())
    .addColumn('subject_key', 'text', (column) => column.notNull())
    .addColumn('address_key', 'text', (column) => column.notNull())
    .addColumn('user_id', 'text')
    .addColumn('account_mark', 'text')
    .addColumn('locale', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('created_at', engine.timeType, (column) => column.notNull())
    .addColumn('expires_at', engine.timeType, (column) => column.notNull())
    .addColumn('ended_at', engine.timeType)
    .modifyEnd(sql.raw(engine.tableOptions))
    .execute()
}

async function createJobs(database: Kysely<never>, engine: Engine, name: string): Promise<void> {
  await database.schema
    .createTable(name)
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('reset_id', 'text', (column) => column.notNull())
    .addColumn('subject_key', 'text', (column) => column.notNull())
    .addColumn('sealed_address', 'text')
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('created_at', engine.timeType, (column) => column.notNull())
    .addColumn('expires_at', engine.timeType, (column) => column.notNull())
    .addColumn('due_at', engine.timeType, (column) => column.notNull())
    .addColumn('ended_at', engine.timeType)
    .addColumn('last_error', 'text')
    .modifyEnd(sql.raw(engine.tableOptions))
    .execute()
}
