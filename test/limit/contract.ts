import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import { openCounters, openOwnDatabase } from '../../src/databases.ts'
import type { LimitedAct } from '../../src/limit/limiter.ts'
import type { SqlLimiter } from '../../src/limit/sql.ts'
import { SqlStore } from '../../src/store/sql.ts'
import type { Limit } from '../../src/units.ts'

/** What a test of a database that counts gives the contract. */
export interface LimiterFixture {
  /** An empty database, the same each time. */
  place(): Promise<Config['store']>
  clean(): Promise<void>
}

export const prefix = 'x_'
const limit = { count: 2, windowMs: 400 }
const off = { request: [], 'bad-proof': [], 'wrong-code': [] }
let client = 0

/** The promises of the limiter, held against any database. */
export function limiterContract(name: string, makeFixture: () => LimiterFixture): void {
  describe(`limits counted in ${name}`, () => {
    let fixture: LimiterFixture
    const opened: SqlLimiter<LimitedAct>[] = []

    beforeAll(async () => {
      fixture = makeFixture()
      const store = await SqlStore.open(await openOwnDatabase(await fixture.place()), prefix)
      await store.close()
    })
    afterEach(() => Promise.all(opened.splice(0).map((limiter) => limiter.close())))
    afterAll(() => fixture.clean())
    beforeEach(() => {
      client += 1
    })

    /** A limiter as each process has one. */
    async function open(
      limits: Partial<Record<LimitedAct, Limit[]>>,
    ): Promise<SqlLimiter<LimitedAct>> {
      const limiter = await openCounters(await fixture.place(), { ...off, ...limits })
      opened.push(limiter)
      return limiter
    }

    it('lets so many through and then says how long to wait', async () => {
      const limiter = await open({ request: [limit] })
      expect(await limiter.take('request', `a${client}`)).toBe(0)
      expect(await limiter.wait('request', `a${client}`)).toBe(0)
      expect(await limiter.take('request', `a${client}`)).toBe(0)
      const waitMs = await limiter.take('request', `a${client}`)
      expect(waitMs).toBeGreaterThan(0)
      expect(waitMs).toBeLessThanOrEqual(400)
      expect(await limiter.wait('request', `a${client}`)).toBeGreaterThan(0)
      await sleep(waitMs + 20)
      expect(await limiter.wait('request', `a${client}`)).toBe(0)
      expect(await limiter.take('request', `a${client}`)).toBe(0)
    })

    it('counts each client and each act for itself', async () => {
      const limiter = await open({ request: [{ count: 1, windowMs: 1000 }], 'bad-proof': [limit] })
      expect(await limiter.take('request', `a${client}`)).toBe(0)
      expect(await limiter.take('request', `b${client}`)).toBe(0)
      expect(await limiter.take('bad-proof', `a${client}`)).toBe(0)
      expect(await limiter.take('request', `a${client}`)).toBeGreaterThan(0)
    })

    it('counts nothing that is off', async () => {
      const limiter = await open({})
      for (let index = 0; index < 100; index += 1)
        expect(await limiter.take('request', `a${client}`)).toBe(0)
      expect(await limiter.wait('request', `a${client}`)).toBe(0)
    })

    it('goes on after a restart', async () => {
      const long = [{ count: 2, windowMs: 60_000 }]
      const first = await open({ request: long })
      await first.take('request', `a${client}`)
      await first.take('request', `a${client}`)
      const second = await open({ request: long })
      expect(await second.wait('request', `a${client}`)).toBeGreaterThan(0)
      expect(await second.take('request', `a${client}`)).toBeGreaterThan(0)
    })

    it('lets exactly so many of simultaneous ones through, in several processes', async () => {
      const limits = { request: [{ count: 5, windowMs: 60_000 }] }
      const limiters = await Promise.all([open(limits), open(limits), open(limits)])
      const waits = await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          limiters[index % 3]?.take('request', `a${client}`),
        ),
      )
      expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(5)
    })
  })
}
