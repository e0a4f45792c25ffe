import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { hastened } from '../support/clock.ts'
import { resetRequest } from './contract.ts'

/** What a test of a database server gives the contract. */
export interface ServerFixture {
  /** An empty database; its URL. */
  newDatabase(): Promise<string>
  open(url: string, prefix?: string): Promise<Store>
  /** The names of all tables in a database. */
  tables(url: string): Promise<readonly string[]>
  /** Locks the table of resets for everybody else, readers too; what lets go of it. */
  lock(url: string): Promise<() => Promise<void>>
  /** Breaks every connection to a database. */
  breakAll(url: string): Promise<void>
}

/** The promises of a store on a database server that others use as well. */
export function serverContract(name: string, fixture: ServerFixture): void {
  const { newDatabase, open } = fixture

  describe(`a ${name} database`, () => {
    it('gets its tables from one of many processes that start together', async () => {
      const url = await newDatabase()
      const stores = await Promise.all(Array.from({ length: 8 }, () => open(url)))
      await Promise.all(stores.map((store) => store.check()))
      await Promise.all(stores.map((store) => store.close()))
    })

    it('can be shared with other tables under a prefix', async () => {
      const url = await newDatabase()
      const store = await open(url, 'fp_')
      await store.resets.request(resetRequest('alice'))
      const tables = await fixture.tables(url)
      expect(tables.length).toBeGreaterThan(5)
      expect(tables.filter((table) => !table.startsWith('fp_'))).toEqual([])
      await store.close()
    })

    it('Z15 whose connections are all taken has people told to come back, and serves them when it can', async () => {
      const url = await newDatabase()
      const store = await open(url)
      const reset = await store.resets.request(resetRequest('alice'))
      const unlock = await fixture.lock(url)
      // More than the pool has: the rest does not even get a connection.
      const asked = Array.from({ length: 15 }, () => store.resets.find(reset.id))
      const answers = await hastened(Promise.allSettled(asked))
      const codes = answers.map((each) => each.status === 'rejected' && each.reason.code)
      expect(new Set(codes)).toEqual(new Set(['ERR_FORGOT_BUSY']))
      await unlock()
      expect(await store.resets.find(reset.id)).toMatchObject({ state: 'live' })
      await store.close()
    })

    it('Z15 that breaks every connection in the middle of things loses and doubles nothing', async () => {
      const url = await newDatabase()
      const store = await open(url)
      const breaking = setInterval(() => void fixture.breakAll(url), 150)
      const limits = [{ count: 1, windowMs: 60_000 }]
      const people = Array.from({ length: 400 }, (_, index) => `person${index}`)
      for (let first = 0; first < people.length; first += 20) {
        const some = people.slice(first, first + 20)
        await Promise.all(some.map((each) => store.resets.request(resetRequest(each, { limits }))))
      }
      clearInterval(breaking)
      expect((await store.queue.totals(0)).queued).toBe(people.length)
      await store.close()
    })
  })
}
