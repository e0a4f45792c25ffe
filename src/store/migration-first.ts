import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { Dialect } from './dialect.ts'
import { limitTable, tableNames } from './schema.ts'

/** Something that a migration makes. */
export interface Made {
  execute(): Promise<unknown>
}

/** Recoveries, mail jobs, events and limits. */
export function first(database: Kysely<never>, dialect: Dialect, prefix: string): readonly Made[] {
  const names = tableNames(prefix)
  const table = (name: string) =>
    database.schema.createTable(name).modifyEnd(sql.raw(dialect.tableOptions))
  const indexes = [
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
  ] as const
  return [
    resets(table(names.reset), dialect),
    jobs(table(names.job), dialect),
    events(table(names.audit), dialect),
    limits(table(limitTable(prefix)), dialect),
    ...indexes.map(([name, columns]) =>
      database.schema
        .createIndex(`${name}_${columns.join('_')}`)
        .on(name)
        .columns([...columns] as never[]),
    ),
  ]
}

type Table = CreateTableBuilder<string>

function resets(table: Table, { keyType, timeType }: Dialect): Made {
  return table
    .addColumn('id', keyType, (column) => column.primaryKey().notNull())
    .addColumn('token_hash', keyType, (column) => column.notNull().unique())
    .addColumn('reference', keyType, (column) => column.notNull())
    .addColumn('subject_key', keyType, (column) => column.notNull())
    .addColumn('user_id', keyType)
    .addColumn('account_mark', keyType)
    .addColumn('locale', keyType, (column) => column.notNull())
    .addColumn('state', keyType, (column) => column.notNull())
    .addColumn('made_at', timeType, (column) => column.notNull())
    .addColumn('created_at', timeType, (column) => column.notNull())
    .addColumn('expires_at', timeType, (column) => column.notNull())
    .addColumn('ended_at', timeType)
    .addColumn('code_generation', 'integer', (column) => column.notNull())
    .addColumn('code_expires_at', timeType)
    .addColumn('code_tries', 'integer', (column) => column.notNull())
    .addColumn('tries', 'integer', (column) => column.notNull())
    .addColumn('tried_at', timeType)
}

function jobs(table: Table, { keyType, timeType }: Dialect): Made {
  return table
    .addColumn('id', keyType, (column) => column.primaryKey().notNull())
    .addColumn('kind', keyType, (column) => column.notNull())
    .addColumn('reset_id', keyType, (column) => column.notNull())
    .addColumn('subject_key', keyType, (column) => column.notNull())
    .addColumn('sealed_address', 'text')
    .addColumn('locale', keyType, (column) => column.notNull())
    .addColumn('state', keyType, (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('created_at', timeType, (column) => column.notNull())
    .addColumn('expires_at', timeType, (column) => column.notNull())
    .addColumn('due_at', timeType, (column) => column.notNull())
    .addColumn('ended_at', timeType)
    .addColumn('last_error', 'text')
}

function events(table: Table, { keyType, timeType }: Dialect): Made {
  return table
    .addColumn('id', keyType, (column) => column.primaryKey().notNull())
    .addColumn('event', keyType, (column) => column.notNull())
    .addColumn('at', timeType, (column) => column.notNull())
    .addColumn('reset_id', keyType)
    .addColumn('user_id', keyType)
    .addColumn('subject_key', keyType)
    .addColumn('client', keyType, (column) => column.notNull())
    .addColumn('reason', keyType, (column) => column.notNull())
    .addColumn('told_at', timeType)
    .addColumn('due_at', timeType, (column) => column.notNull())
}

function limits(table: Table, { keyType, timeType }: Dialect): Made {
  return table
    .addColumn('key', keyType, (column) => column.primaryKey().notNull())
    .addColumn('points', 'integer', (column) => column.notNull())
    .addColumn('expire', timeType)
}
