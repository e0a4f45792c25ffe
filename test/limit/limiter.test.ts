import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LimitedAct } from '../../src/limit/limiter.ts'
import { SqlLimiter } from '../../src/limit/sql.ts'
import { sqliteCounters } from '../../src/limit/sqlite.ts'
import { limitTable } from '../../src/store/schema.ts'
import { SqlStore } from '../../src/store/sql.ts'
import { openOwnSqlite, openSharedSqlite } from '../../src/store/sqlite.ts'
import type { Limit } from '../../src/units.ts'

const limit = { count: 2, windowMs: 400 }
const off = { request: [], 'bad-proof': [], 'wrong-code': [] }

let folder = ''
let url = ''
const opened: SqlLimiter<LimitedAct>[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-limits-'))
  url = `sqlite:${join(folder, 'store.db')}`
  const store = await SqlStore.open(openOwnSqlite(url), 'x_')
  await store.close()
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((limiter) => limiter.close()))
  rmSync(folder, { recursive: true })
})

/** A limiter as each process has one. */
function open(limits: Partial<Record<keyof typeof off, Limit[]>>): SqlLimiter<LimitedAct> {
  const limiter = new SqlLimiter(sqliteCounters(openSharedSqlite(url), limitTable('x_')), {
    ...off,
    ...limits,
  })
  opened.push(limiter)
  return limiter
}

describe('counting', () => {
  it('lets so many through and then says how long to wait', async () => {
    const limiter = open({ request: [limit] })
    expect(await limiter.take('request', 'a')).toBe(0)
    expect(await limiter.wait('request', 'a')).toBe(0)
    expect(await limiter.take('request', 'a')).toBe(0)
    const waitMs = await limiter.take('request', 'a')
    expect(waitMs).toBeGreaterThan(0)
    expect(waitMs).toBeLessThanOrEqual(400)
    expect(await limiter.wait('request', 'a')).toBeGreaterThan(0)
    await sleep(waitMs + 20)
    expect(await limiter.wait('request', 'a')).toBe(0)
    expect(await limiter.take('request', 'a')).toBe(0)
  })

  it('counts each client and each act for itself', async () => {
    const limiter = open({ request: [{ count: 1, windowMs: 1000 }], 'bad-proof': [limit] })
    expect(await limiter.take('request', 'a')).toBe(0)
    expect(await limiter.take('request', 'b')).toBe(0)
    expect(await limiter.take('bad-proof', 'a')).toBe(0)
    expect(await limiter.take('request', 'a')).toBeGreaterThan(0)
  })

  it('counts nothing that is off', async () => {
    const limiter = open({})
    for (let index = 0; index < 100; index += 1) expect(await limiter.take('request', 'a')).toBe(0)
    expect(await limiter.wait('request', 'a')).toBe(0)
  })

  it('goes on after a restart', async () => {
    const long = [{ count: 2, windowMs: 60_000 }]
    const first = open({ request: long })
    await first.take('request', 'a')
    await first.take('request', 'a')
    const second = open({ request: long })
    expect(await second.wait('request', 'a')).toBeGreaterThan(0)
    expect(await second.take('request', 'a')).toBeGreaterThan(0)
  })

  it('lets exactly so many of simultaneous ones through, in several processes', async () => {
    const limits = { request: [{ count: 5, windowMs: 60_000 }] }
    const limiters = [open(limits), open(limits), open(limits)]
    const waits = await Promise.all(
      Array.from({ length: 60 }, (_, index) => limiters[index % 3]?.take('request', 'a')),
    )
    expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(5)
  })
})
