import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Engine } from '../../src/store/engine.ts'
import { openOwnSqlite } from '../../src/store/sqlite.ts'
import { Statement } from '../../src/store/statement.ts'
import { commitsOf } from '../support/wal.ts'

interface Tables {
  note: { text: string }
}

let folder = ''
let engine: Engine<Tables>
const file = () => join(folder, 'store.db')

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-commits-'))
  engine = openOwnSqlite(`sqlite:${file()}`)
  await engine.run((database) =>
    sql`create table note (text text primary key check (text <> 'bad')) strict`.execute(database),
  )
})
afterEach(async () => {
  await engine.close()
  rmSync(folder, { recursive: true })
})

const note = (text: string) =>
  engine.transaction((tables) => tables.insertInto('note').values({ text }).execute())

async function notes(): Promise<string[]> {
  const query = sql<{ text: string }>`select text from note order by text`
  return (await engine.run((database) => query.execute(database))).rows.map(({ text }) => text)
}

it('has those who come together wait for the disk once', async () => {
  const before = commitsOf(file())
  await Promise.all(Array.from({ length: 100 }, (_, index) => note(`note ${index}`)))
  expect(await notes()).toHaveLength(100)
  expect(commitsOf(file()) - before).toBe(2)
})

it('answers nobody before his own work is on the disk', async () => {
  const before = commitsOf(file())
  const seen = await Promise.all(
    ['a', 'b', 'c'].map((text) => note(text).then(() => commitsOf(file()) - before)),
  )
  expect(seen).toEqual([1, 1, 1])
})

it('takes back what fails, and nothing else', async () => {
  const failing = engine.transaction(async (tables) => {
    await tables.insertInto('note').values({ text: 'half' }).execute()
    throw new RangeError('Not after all')
  })
  const outcomes = await Promise.allSettled([note('first'), failing, note('bad'), note('last')])
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
  ])
  expect(outcomes[1]).toMatchObject({ reason: { message: 'Not after all' } })
  expect(outcomes[2]).toMatchObject({ reason: { code: 'ERR_FORGOT_STORE' } })
  expect(await notes()).toEqual(['first', 'last'])
})

it('gives each its own answer when one of them has ended the transaction of all', async () => {
  await engine.run((database) =>
    sql`create trigger end_all before insert on note when new.text = 'end' begin
      select raise(rollback, 'enough'); end`.execute(database),
  )
  const outcomes = await Promise.allSettled([note('first'), note('end'), note('last')])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(await notes()).toEqual(['first', 'last'])
})

it('lets work see what the work before it has done', async () => {
  const counted = () =>
    engine.transaction(async (tables) => {
      const { count } = await tables
        .selectFrom('note')
        .select((row) => row.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      await tables
        .insertInto('note')
        .values({ text: `note ${count}` })
        .execute()
      return count
    })
  expect(await Promise.all([counted(), counted(), counted()])).toEqual([0, 1, 2])
})

it('takes nothing into a transaction that is not its own', async () => {
  const add = new Statement((database: Kysely<Tables>, given: { text: string }) =>
    database.insertInto('note').values({ text: given.text }),
  )
  const begun = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  const failing = engine.transaction(async (tables) => {
    await add.change(tables, { text: 'half' })
    begun.resolve()
    await end.promise
    throw new RangeError('Not after all')
  })
  await begun.promise
  const outside = engine.run((database) => add.change(database, { text: 'whole' }))
  end.resolve()
  await expect(failing).rejects.toThrow('Not after all')
  expect(await outside).toBe(1)
  expect(await notes()).toEqual(['whole'])
})
