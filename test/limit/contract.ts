import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import { openOwnDatabase } from '../../src/databases.ts'
import { type LimitedAct, StoreLimiter } from '../../src/limit/limiter.ts'
import { SqlStore } from '../../src/store/sql.ts'
import type { Limit } from '../../src/units.ts'
import { resetRequest } from '../store/contract.ts'
import { hours, minutes, TestClock } from '../support/clock.ts'

/** What a test of a database that counts gives the contract. */
export interface LimiterFixture {
  /** An empty database, the same each time. */
  place(): Promise<Config['store']>
  clean(): Promise<void>
}

export const prefix = 'x_'
const limit = { count: 2, windowMs: minutes(10) }
const off = { request: [], 'bad-proof': [], 'wrong-code': [] }
let client = ''
let made = 0

/** The promises of the limiter, held against any database. */
export function limiterContract(name: string, makeFixture: () => LimiterFixture): void {
  describe(`limits counted in ${name}`, () => {
    let fixture: LimiterFixture
    let clock: TestClock
    const opened: SqlStore[] = []

    beforeAll(() => {
      fixture = makeFixture()
    })
    beforeEach(() => {
      clock = new TestClock()
      made += 1
      client = `client ${made}`
    })
    afterEach(() => Promise.all(opened.splice(0).map((store) => store.close())))
    afterAll(() => fixture.clean())

    async function openStore(): Promise<SqlStore> {
      const store = await SqlStore.open(await openOwnDatabase(await fixture.place()), prefix)
      opened.push(store)
      return store
    }

    /** A limiter as each process has one. */
    async function open(
      limits: Partial<Record<LimitedAct, Limit[]>>,
    ): Promise<StoreLimiter<LimitedAct>> {
      return new StoreLimiter((await openStore()).counters, clock, { ...off, ...limits })
    }

    it('lets so many through and then says how long to wait', async () => {
      const limiter = await open({ request: [limit] })
      expect(await limiter.take('request', client)).toBe(0)
      expect(await limiter.wait('request', client)).toBe(0)
      clock.move(minutes(1))
      expect(await limiter.take('request', client)).toBe(0)
      expect(await limiter.wait('request', client)).toBe(minutes(9))
      expect(await limiter.take('request', client)).toBe(minutes(9))
      clock.move(minutes(9) - 1)
      expect(await limiter.take('request', client)).toBe(1)
      clock.move(1)
      expect(await limiter.wait('request', client)).toBe(0)
      for (const waitMs of [0, 0, minutes(10)])
        expect(await limiter.take('request', client)).toBe(waitMs)
    })

    it('holds several limits at once, and tells of the longest wait', async () => {
      const limiter = await open({ request: [limit, { count: 3, windowMs: hours(1) }] })
      for (const each of [1, 2])
        expect([each, await limiter.take('request', client)]).toEqual([each, 0])
      expect(await limiter.take('request', client)).toBe(minutes(10))
      clock.move(minutes(10))
      expect(await limiter.take('request', client)).toBe(minutes(50))
    })

    it('tells of the longest wait in whatever order its limits stand', async () => {
      const limiter = await open({ request: [{ count: 2, windowMs: hours(1) }, limit] })
      for (const waitMs of [0, 0, hours(1), hours(1)])
        expect(await limiter.take('request', client)).toBe(waitMs)
    })

    it('counts each client and each act for itself', async () => {
      const limiter = await open({ request: [{ ...limit, count: 1 }], 'bad-proof': [limit] })
      expect(await limiter.take('request', client)).toBe(0)
      expect(await limiter.take('request', `another ${client}`)).toBe(0)
      expect(await limiter.take('bad-proof', client)).toBe(0)
      expect(await limiter.take('request', client)).toBeGreaterThan(0)
    })

    it('counts nothing that is off', async () => {
      const limiter = await open({})
      for (let index = 0; index < 100; index += 1)
        expect(await limiter.take('request', client)).toBe(0)
      expect(await limiter.wait('request', client)).toBe(0)
    })

    it('goes on after a restart', async () => {
      const first = await open({ request: [limit] })
      await first.take('request', client)
      await first.take('request', client)
      const second = await open({ request: [limit] })
      expect(await second.wait('request', client)).toBe(minutes(10))
      expect(await second.take('request', client)).toBe(minutes(10))
    })

    it('lets exactly so many of simultaneous ones through, in several processes', async () => {
      const limits = { request: [{ count: 5, windowMs: minutes(1) }] }
      const limiters = await Promise.all([open(limits), open(limits), open(limits)])
      const waits = await Promise.all(
        Array.from({ length: 60 }, (_, index) => limiters[index % 3]?.take('request', client)),
      )
      expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(5)
    })

    it('keeps nobody out for what a clock has counted that was wrong', async () => {
      const limiter = await open({ request: [limit] })
      clock.move(hours(24))
      for (let index = 0; index < 3; index += 1) await limiter.take('request', client)
      clock.move(-hours(24))
      expect(await limiter.wait('request', client)).toBe(0)
      expect(await limiter.take('request', client)).toBe(0)
      expect(await limiter.take('request', client)).toBe(0)
      expect(await limiter.take('request', client)).toBe(minutes(10))
    })

    it('counts an act within its own transaction: what is refused leaves nothing behind', async () => {
      const store = await openStore()
      const limiter = new StoreLimiter(store.counters, clock, { ...off, request: [limit] })
      const ask = (address: string) =>
        store.resets.request(
          resetRequest(`${address} of ${client}`, { now: clock.now() }),
          limiter.allowances('request', client),
        )
      const answers = [await ask('a'), await ask('b'), await ask('c'), await ask('d')]
      expect(answers.map((each) => ('waitMs' in each ? each.waitMs : 'done'))).toEqual([
        'done',
        'done',
        minutes(10),
        minutes(10),
      ])
      expect(await store.resets.findBySubject([`subject of c of ${client}`])).toBeNull()
      expect((await store.queue.totals(clock.now())).queued).toBe(2)
    })

    it('forgets what nobody is counted by any more', async () => {
      const store = await openStore()
      const limiter = new StoreLimiter(store.counters, clock, { ...off, request: [limit] })
      for (const each of [1, 2])
        expect([each, await limiter.take('request', client)]).toEqual([each, 0])
      await store.prune(clock.now(), 0, 500)
      expect(await limiter.wait('request', client)).toBe(minutes(10))
      await store.prune(clock.now() + minutes(10) + 1, 0, 500)
      expect(await limiter.wait('request', client)).toBe(0)
    })
  })
}
