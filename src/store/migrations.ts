import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { ForgotError } from '../errors.ts'
import type { Dialect, Engine } from './engine.ts'
import { limitTable, type Tables, tableNames } from './schema.ts'

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
    '0001-first': { up: (database: Kysely<never>) => first(database, dialect, prefix) },
  }
}

async function first(database: Kysely<never>, dialect: Dialect, prefix: string): Promise<void> {
  const names = tableNames(prefix)
  await createResets(database, dialect, names.reset)
  await createJobs(database, dialect, names.job)
  await createAudit(database, dialect, names.audit)
  await createLimits(database, dialect, limitTable(prefix))
  for (const [table, columns] of [
    [names.reset, ['subject_key', 'made_at']],
    [names.reset, ['reference', 'made_at']],
    [names.reset, ['user_id', 'state']],
    [names.reset, ['state', 'expires_at']],
    [names.reset, ['expires_at']],
    [names.job, ['state', 'due_at']],
    [names.job, ['subject_key', 'created_at']],
    [names.job, ['reset_id']],
    [names.job, ['ended_at']],
    [names.audit, ['at']],
    [names.audit, ['told_at', 'id']],
    [names.audit, ['user_id', 'at']],
    [names.audit, ['subject_key', 'at']],
  ] as const) {
    const name = `${table}_${columns.join('_')}`
    await database.schema
      .createIndex(name)
      .on(table)
      .columns([...columns] as never[])
      .execute()
  }
}

async function createResets(
  database: Kysely<never>,
  dialect: Dialect,
  name: string,
): Promise<void> {
  await database.schema
    .createTable(name)
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('token_hash', 'text', (column) => column.notNull().unique())
    .addColumn('reference', 'text', (column) => column.notNull())
    .addColumn('subject_key', 'text', (column) => column.notNull())
    .addColumn('user_id', 'text')
    .addColumn('account_mark', 'text')
    .addColumn('locale', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('made_at', dialect.timeType, (column) => column.notNull())
    .addColumn('created_at', dialect.timeType, (column) => column.notNull())
    .addColumn('expires_at', dialect.timeType, (column) => column.notNull())
    .addColumn('ended_at', dialect.timeType)
    .addColumn('code_generation', 'integer', (column) => column.notNull())
    .addColumn('code_expires_at', dialect.timeType)
    .addColumn('code_tries', 'integer', (column) => column.notNull())
    .addColumn('tries', 'integer', (column) => column.notNull())
    .addColumn('tried_at', dialect.timeType)
    .modifyEnd(sql.raw(dialect.tableOptions))
    .execute()
}

async function createAudit(database: Kysely<never>, dialect: Dialect, name: string): Promise<void> {
  await database.schema
    .createTable(name)
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('event', 'text', (column) => column.notNull())
    .addColumn('at', dialect.timeType, (column) => column.notNull())
    .addColumn('reset_id', 'text')
    .addColumn('user_id', 'text')
    .addColumn('subject_key', 'text')
    .addColumn('client', 'text', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('told_at', dialect.timeType)
    .addColumn('due_at', dialect.timeType, (column) => column.notNull())
    .modifyEnd(sql.raw(dialect.tableOptions))
    .execute()
}

/** In the form that rate-limiter-flexible expects. */
async function createLimits(
  database: Kysely<never>,
  dialect: Dialect,
  name: string,
): Promise<void> {
  await database.schema
    .createTable(name)
    .addColumn('key', 'text', (column) => column.primaryKey().notNull())
    .addColumn('points', 'integer', (column) => column.notNull())
    .addColumn('expire', dialect.timeType)
    .modifyEnd(sql.raw(dialect.tableOptions))
    .execute()
}

async function createJobs(database: Kysely<never>, dialect: Dialect, name: string): Promise<void> {
  await database.schema
    .createTable(name)
    .addColumn('id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('reset_id', 'text', (column) => column.notNull())
    .addColumn('subject_key', 'text', (column) => column.notNull())
    .addColumn('sealed_address', 'text')
    .addColumn('locale', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('created_at', dialect.timeType, (column) => column.notNull())
    .addColumn('expires_at', dialect.timeType, (column) => column.notNull())
    .addColumn('due_at', dialect.timeType, (column) => column.notNull())
    .addColumn('ended_at', dialect.timeType)
    .addColumn('last_error', 'text')
    .modifyEnd(sql.raw(dialect.tableOptions))
    .execute()
}
