import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Log } from '../../src/log.ts'
import { SqlStore } from '../../src/store/sql.ts'
import { openOwnSqlite } from '../../src/store/sqlite.ts'
import { Upkeep } from '../../src/store/upkeep.ts'
import { hours, TestClock } from '../support/clock.ts'
import { eventually } from '../support/wait.ts'
import { resetRequest } from './contract.ts'

const clock = new TestClock()
const warnings: string[] = []
const log = { warn: (_: object, text: string) => warnings.push(text) } as unknown as Log
let folder = ''
let store: SqlStore
let upkeep: Upkeep
const file = () => join(folder, 'store.db')

beforeEach(async () => {
  warnings.length = 0
  folder = mkdtempSync(join(tmpdir(), 'forgot-upkeep-'))
  store = await SqlStore.open(openOwnSqlite(`sqlite:${file()}`), '')
  upkeep = new Upkeep({ store, clock, log, keepMs: hours(2) })
  // What it waits for between two batches passes by itself.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(async () => {
  await upkeep.stop()
  vi.useRealTimers()
  await store.close()
  rmSync(folder, { recursive: true })
})

/** Makes recoveries that ended longer ago than any is kept, and one that did not. */
async function fill(count: number): Promise<void> {
  const now = clock.now()
  const old = Array.from({ length: count }, (_, index) =>
    store.resets.request(resetRequest(`person${index}`, { now: now - hours(4) })),
  )
  await Promise.all([...old, store.resets.request(resetRequest('alice', { now }))])
}

function left(): number {
  const database = new Database(file(), { readonly: true })
  const count = database.prepare('select count(*) from password_reset').pluck().get() as number
  database.close()
  return count
}

it('deletes once a minute all that ended long ago, and nothing else', async () => {
  await fill(450)
  upkeep.start()
  vi.advanceTimersByTime(59_999)
  expect(left()).toBe(451)
  vi.advanceTimersByTime(1)
  await eventually(() => left() === 1)
  expect(await store.resets.findBySubject(['subject of alice'])).toMatchObject({ state: 'live' })
})

it('stops between two batches, and begins no other', async () => {
  await fill(450)
  upkeep.start()
  vi.advanceTimersByTime(60_000)
  await upkeep.stop()
  expect(left()).toBe(251)
  vi.advanceTimersByTime(120_000)
  expect(vi.getTimerCount()).toBe(0)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(left()).toBe(251)
})

it('tells once of what fails again and again, and again when it had worked meanwhile', async () => {
  upkeep.start()
  const minute = async (count: number) => {
    vi.advanceTimersByTime(60_000)
    await vi.waitFor(() => expect(prune).toHaveBeenCalledTimes(count))
    await prune.mock.results.at(-1)?.value.catch(() => {})
  }
  const prune = vi.spyOn(store, 'prune')
  const database = new Database(file())
  database.exec('alter table rate_limit rename to away')
  for (const count of [1, 2, 3]) await minute(count)
  expect(warnings).toEqual(['old rows cannot be deleted'])
  database.exec('alter table away rename to rate_limit')
  await minute(4)
  database.exec('alter table rate_limit rename to away')
  await minute(5)
  await vi.waitFor(() => expect(warnings).toHaveLength(2))
  database.close()
})
