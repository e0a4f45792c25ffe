import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { randomId } from '../../src/proof/secret.ts'
import type { MailJob } from '../../src/store/mail.ts'
import type { Notice, ResetRequest, Store } from '../../src/store/store.ts'
import { hours, minutes, seconds } from '../support/clock.ts'

/** What a test of a store implementation gives the contract. */
export interface StoreFixture {
  /** Several stores on one database, each with a connection of its own, as several processes have. */
  open(count: number): Promise<Store[]>
  /** Deletes the database. */
  clean(): Promise<void>
}

const now = 1_800_000_000_000

export function resetRequest(address: string, over: Partial<ResetRequest> = {}): ResetRequest {
  return {
    id: randomId(),
    tokenHash: randomId(),
    reference: randomId().slice(0, 8),
    jobId: randomId(),
    subjectKeys: [`subject of ${address.toLowerCase()}`],
    sealedAddress: `sealed ${address}`,
    locale: 'en',
    now,
    lifetimeMs: hours(1),
    code: null,
    limits: [],
    client: '192.0.2.0',
    ...over,
  }
}

function notice(): Notice {
  return {
    id: randomId(),
    subjectKey: 'subject',
    locale: 'en',
    sealedAddress: 'sealed',
    dueAt: now + seconds(10),
    expiresAt: now + hours(24),
  }
}

/** Takes due jobs; no due time here is so late that a wrong clock must have set it. */
function claim(store: Store, at: number, leaseMs: number, count: number): Promise<MailJob[]> {
  return store.jobs.claim({
    ...{ now: at, leaseMs, count },
    latest: at + hours(48),
    isTooLateOnly: false,
  })
}

const codeRules = { lifetimeMs: minutes(10), mostTries: 5, isAlone: false }

const assignment = { userId: '7', accountMark: 'mark', locale: 'fr', now }

/** The promises of the store, held against any implementation. */
export function storeContract(name: string, makeFixture: () => StoreFixture): void {
  describe(`a store on ${name}`, () => {
    let fixture: StoreFixture
    let store: Store
    let others: Store[]

    beforeEach(async () => {
      fixture = makeFixture()
      const [first, ...rest] = await fixture.open(4)
      if (first === undefined) throw new Error('The fixture opened no store')
      store = first
      others = rest
    })

    afterEach(async () => {
      await Promise.all([store, ...others].map((each) => each.close()))
      await fixture.clean()
    })

    describe('a code', () => {
      const withCode = (over: Partial<ResetRequest> = {}) =>
        resetRequest('alice', { code: codeRules, ...over })
      const attempt = (resetId: string, at = now, right = false) => ({
        resetId,
        now: at,
        mostTries: 5,
        mostDailyTries: 15,
        isRight: () => right,
      })

      it('ends before its reset, and is none where codes are off', async () => {
        const { code } = await store.resets.request(withCode())
        expect(code).toEqual({ generation: 1, expiresAt: now + minutes(10), tries: 0 })
        const short = await store.resets.request(
          resetRequest('bob', { code: codeRules, lifetimeMs: minutes(3) }),
        )
        expect(short.code?.expiresAt).toBe(now + minutes(3))
        expect((await store.resets.request(resetRequest('carol'))).code).toBeNull()
      })

      it('is renewed past half of its life, when locked, and only for a mail', async () => {
        const first = await store.resets.request(withCode())
        const young = await store.resets.request(withCode({ now: now + minutes(4) }))
        expect(young.code).toEqual(first.code)
        const limits = [{ count: 1, windowMs: minutes(20) }]
        const unsent = await store.resets.request(withCode({ now: now + minutes(6), limits }))
        expect(unsent.code).toEqual(first.code)
        const old = await store.resets.request(withCode({ now: now + minutes(6) }))
        expect(old.code).toEqual({ generation: 2, expiresAt: now + minutes(16), tries: 0 })
        const at = now + minutes(7)
        for (let each = 0; each < 5; each += 1) await store.resets.tryCode(attempt(old.id, at))
        const locked = await store.resets.request(withCode({ now: at }))
        expect(locked.code).toMatchObject({ generation: 3, tries: 0 })
        expect(locked.id).toBe(first.id)
      })

      it('keeps its tries and its end where its reset was used, and another takes its place', async () => {
        const first = await store.resets.request(withCode())
        await store.resets.tryCode(attempt(first.id))
        await store.resets.spend(first.id, now, [])
        const second = await store.resets.request(withCode({ now: now + minutes(1) }))
        expect(second.id).not.toBe(first.id)
        expect(second.code).toMatchObject({ expiresAt: now + minutes(10), tries: 1 })
      })

      it('is compared five times of a hundred that come at once', async () => {
        const { id } = await store.resets.request(withCode())
        const all = [store, ...others]
        const tried = await Promise.all(
          Array.from({ length: 100 }, (_, index) =>
            all[index % all.length]?.resets.tryCode(attempt(id)),
          ),
        )
        const verdicts = tried.map((each) => each?.verdict)
        expect(verdicts.filter((verdict) => verdict === 'wrong')).toHaveLength(5)
        expect(verdicts.filter((verdict) => verdict === 'locked')).toHaveLength(95)
        expect((await store.resets.find(id))?.code?.tries).toBe(5)
      })

      it('is tried fifteen times a day, over all codes of an address', async () => {
        let at = now
        for (let round = 0; round < 3; round += 1) {
          const { id } = await store.resets.request(withCode({ now: at }))
          for (let each = 0; each < 5; each += 1) {
            expect((await store.resets.tryCode(attempt(id, at))).verdict).toBe('wrong')
          }
          at += minutes(31)
        }
        const { id } = await store.resets.request(withCode({ now: at }))
        expect((await store.resets.tryCode(attempt(id, at))).verdict).toBe('locked-today')
        expect((await store.resets.find(id))?.code?.tries).toBe(0)
        const other = await store.resets.request(resetRequest('bob', { code: codeRules, now: at }))
        expect((await store.resets.tryCode(attempt(other.id, at))).verdict).toBe('wrong')
        const tomorrow = at + hours(24)
        const again = await store.resets.request(withCode({ now: tomorrow }))
        expect((await store.resets.tryCode(attempt(again.id, tomorrow))).verdict).toBe('wrong')
      })

      it('costs nothing when it was right, and is compared in any state of its reset', async () => {
        const { id } = await store.resets.request(withCode())
        for (let each = 0; each < 30; each += 1) {
          expect((await store.resets.tryCode(attempt(id, now, true))).verdict).toBe('right')
        }
        expect((await store.resets.find(id))?.code?.tries).toBe(0)
        await store.resets.spend(id, now, [])
        expect((await store.resets.tryCode(attempt(id))).verdict).toBe('wrong')
        const right = await store.resets.tryCode(attempt(id, now, true))
        expect(right).toMatchObject({ verdict: 'right', reset: { state: 'used' } })
      })

      it('stays over when the clock jumps back', async () => {
        const { id } = await store.resets.request(withCode())
        const late = await store.resets.tryCode(attempt(id, now + minutes(10), true))
        expect(late.verdict).toBe('ended')
        expect((await store.resets.tryCode(attempt(id, now, true))).verdict).toBe('ended')
      })

      it('counts for the day under a new secret too, and says when the day is over', async () => {
        const old = await store.resets.request(withCode({ subjectKeys: ['old'] }))
        const few = { mostDailyTries: 2 }
        for (let each = 0; each < 2; each += 1) {
          await store.resets.tryCode({ ...attempt(old.id), ...few })
        }
        const later = now + minutes(31)
        const { id } = await store.resets.request(
          withCode({ subjectKeys: ['new', 'old'], now: later }),
        )
        const tried = await store.resets.tryCode({ ...attempt(id, later), ...few })
        expect(tried).toMatchObject({ verdict: 'locked-today', lockedUntil: now + hours(24) })
        const row = await store.resets.find(id)
        expect(row && (await store.resets.isLockedToday(row, later, 2))).toBe(true)
        expect(row && (await store.resets.isLockedToday(row, now + hours(24), 2))).toBe(false)
      })

      it('that comes alone ends its mail', async () => {
        const code = { ...codeRules, isAlone: true }
        await store.resets.request(resetRequest('alice', { code }))
        const [job] = await claim(store, now, seconds(15), 10)
        expect(job?.expiresAt).toBe(now + minutes(10))
      })

      it('has ended with its time, and where there is none', async () => {
        const { id } = await store.resets.request(withCode())
        const late = await store.resets.tryCode(attempt(id, now + minutes(10)))
        expect(late.verdict).toBe('ended')
        expect(await store.resets.tryCode(attempt('none'))).toEqual({
          verdict: 'ended',
          reset: null,
          lockedUntil: null,
        })
      })
    })

    describe('is asked by what a visitor knows', () => {
      it('and finds the newest of a reference and of an address', async () => {
        const first = await store.resets.request(resetRequest('alice'))
        await store.resets.spend(first.id, now, [])
        const second = await store.resets.request(resetRequest('alice', { now: now + 1 }))
        expect(second.reference).toBe(first.reference)
        expect((await store.resets.findByReference(first.reference))?.id).toBe(second.id)
        expect((await store.resets.findBySubject(['x', 'subject of alice']))?.id).toBe(second.id)
        expect(await store.resets.findByReference('none')).toBeNull()
        expect(await store.resets.findBySubject(['none'])).toBeNull()
      })
    })

    describe('when asked', () => {
      it('makes a live reset and queues one mail', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        expect(reset).toMatchObject({ state: 'live', userId: null, accountMark: null })
        expect(reset.expiresAt).toBe(now + hours(1))
        const jobs = await claim(store, now, seconds(15), 10)
        expect(jobs).toMatchObject([
          { kind: 'recovery', resetId: reset.id, sealedAddress: 'sealed alice', attempts: 1 },
        ])
      })

      it('uses the live reset again in the first half of its life, and mails it again', async () => {
        const first = await store.resets.request(resetRequest('alice'))
        const second = await store.resets.request(resetRequest('alice', { now: now + minutes(29) }))
        expect(second).toEqual(first)
        expect(await claim(store, now + minutes(29), seconds(15), 10)).toHaveLength(2)
      })

      it('replaces it in the second half', async () => {
        const first = await store.resets.request(resetRequest('alice'))
        const second = await store.resets.request(resetRequest('alice', { now: now + minutes(30) }))
        expect(second.id).not.toBe(first.id)
        expect((await store.resets.find(first.id))?.state).toBe('replaced')
      })

      it('shows the same after the link was used, and mails another one', async () => {
        const first = await store.resets.request(resetRequest('alice'))
        await store.resets.spend(first.id, now, [])
        const later = now + minutes(10)
        const second = await store.resets.request(resetRequest('alice', { now: later }))
        const { reference, createdAt, expiresAt } = first
        expect(second).toMatchObject({ reference, createdAt, expiresAt, state: 'live' })
        expect([second.id, second.tokenHash]).not.toEqual([first.id, first.tokenHash])
        // A third finds the second, which looks as old as the first.
        const third = await store.resets.request(resetRequest('alice', { now: later }))
        expect(third.id).toBe(second.id)
        const afterHalf = await store.resets.request(
          resetRequest('alice', { now: now + minutes(31) }),
        )
        expect(afterHalf.reference).not.toBe(reference)
      })

      it('replaces nothing for a process whose clock is a moment behind', async () => {
        const first = await store.resets.request(resetRequest('alice'))
        const limits = [{ count: 1, windowMs: minutes(1) }]
        const late = resetRequest('alice', { now: now - 5, limits })
        expect((await store.resets.request(late)).id).toBe(first.id)
        expect(await claim(store, now, seconds(15), 10)).toHaveLength(1)
      })

      it('finds the reset under an older key', async () => {
        const first = await store.resets.request(resetRequest('alice', { subjectKeys: ['old'] }))
        const second = await store.resets.request(
          resetRequest('alice', { subjectKeys: ['new', 'old'] }),
        )
        expect(second.id).toBe(first.id)
      })

      it('takes an address in any letter case for the same', async () => {
        const limits = [{ count: 1, windowMs: minutes(1) }]
        const one = await store.resets.request(resetRequest('Bob', { limits }))
        const other = await store.resets.request(resetRequest('bob', { limits }))
        expect(other.id).toBe(one.id)
        expect(await claim(store, now, seconds(15), 10)).toHaveLength(1)
      })

      it('can be made to begin again, for an account that cannot use the first', async () => {
        const first = await store.resets.request(resetRequest('alice'))
        const [job] = await claim(store, now, seconds(15), 10)
        const jobId = job?.id ?? ''
        const again = await store.resets.restart(resetRequest('alice', { now: now + 1, jobId }))
        const { reference, expiresAt } = first
        expect(again).toMatchObject({ reference, expiresAt, state: 'live' })
        expect(again.id).not.toBe(first.id)
        expect((await store.resets.find(first.id))?.state).toBe('replaced')
        // The mail that found it out goes on, and no other is owed.
        const jobs = await claim(store, now + minutes(1), seconds(15), 10)
        expect(jobs).toMatchObject([{ id: jobId, resetId: again.id, attempts: 2 }])
      })

      it('lets a clock that was wrong neither keep a link for longer nor hold back a mail', async () => {
        const limits = [{ count: 1, windowMs: minutes(1) }]
        const ahead = await store.resets.request(
          resetRequest('alice', { limits, now: now + hours(2) }),
        )
        const right = await store.resets.request(resetRequest('alice', { limits }))
        expect(right.id).not.toBe(ahead.id)
        expect(right.expiresAt).toBe(now + hours(1))
        expect(await claim(store, now, seconds(15), 10)).toHaveLength(1)
      })

      it('answers beyond a limit as ever, but mails nothing', async () => {
        const limits = [
          { count: 1, windowMs: minutes(1) },
          { count: 2, windowMs: hours(1) },
        ]
        const at = (time: number) =>
          store.resets.request(resetRequest('alice', { limits, now: time }))
        const first = await at(now)
        expect((await at(now + seconds(59))).id).toBe(first.id)
        await at(now + seconds(61))
        const beyond = await at(now + minutes(45))
        // Past half of its life it would be replaced, were the visitor to get a new one.
        expect(beyond.id).toBe(first.id)
        expect(await claim(store, now + minutes(45), seconds(15), 10)).toHaveLength(2)
        await at(now + minutes(61))
        expect(await claim(store, now + minutes(61), seconds(15), 10)).toHaveLength(3)
      })

      it('never returns to a reset that has expired, even when the clock jumps back', async () => {
        const first = await store.resets.request(resetRequest('alice'))
        const second = await store.resets.request(resetRequest('alice', { now: now + hours(1) }))
        expect(second.id).not.toBe(first.id)
        expect((await store.resets.find(first.id))?.state).toBe('expired')
        await store.resets.request(resetRequest('alice', { now: now - hours(3) }))
        expect((await store.resets.find(first.id))?.state).toBe('expired')
      })

      it('grants one of many simultaneous requests', async () => {
        const limits = [{ count: 1, windowMs: minutes(1) }]
        const stores = [store, ...others]
        const resets = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            stores[index % stores.length]?.resets.request(resetRequest('alice', { limits })),
          ),
        )
        expect(new Set(resets.map((reset) => reset?.id)).size).toBe(1)
        expect(await claim(store, now, seconds(15), 100)).toHaveLength(1)
      })
    })

    describe('an account', () => {
      it('is named once and ends its other resets', async () => {
        const one = await store.resets.request(resetRequest('alice'))
        await store.resets.assign({ ...assignment, resetId: one.id })
        const other = await store.resets.request(resetRequest('alice.alias'))
        await store.resets.assign({ ...assignment, resetId: other.id })
        expect(await store.resets.find(other.id)).toMatchObject({
          userId: '7',
          locale: 'fr',
          state: 'live',
        })
        expect((await store.resets.find(one.id))?.state).toBe('replaced')
      })

      it('cannot be named on a reset that has ended', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        await store.resets.end(reset.id, 'revoked', now)
        await store.resets.assign({ ...assignment, resetId: reset.id })
        expect(await store.resets.find(reset.id)).toMatchObject({ userId: null, state: 'revoked' })
      })
    })

    describe('a reset', () => {
      it('is found by its token’s hash and not by another', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        const { isGranted, ...kept } = reset
        expect(isGranted).toBe(true)
        expect(await store.resets.findByToken(reset.tokenHash)).toEqual(kept)
        expect(await store.resets.findByToken('another')).toBeNull()
        expect(await store.resets.find('another')).toBeNull()
      })

      it('is spent once', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        expect(await store.resets.spend(reset.id, now, [])).toBe(true)
        expect(await store.resets.spend(reset.id, now, [])).toBe(false)
        expect((await store.resets.find(reset.id))?.state).toBe('used')
      })

      it('is spent by exactly one of 32 simultaneous callers', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        const stores = [store, ...others]
        const results = await Promise.all(
          Array.from({ length: 32 }, (_, index) =>
            stores[index % stores.length]?.resets.spend(reset.id, now, [notice()]),
          ),
        )
        expect(results.filter((isSpent) => isSpent)).toHaveLength(1)
        const jobs = await claim(store, now + minutes(1), seconds(15), 100)
        expect(jobs.filter((job) => job.kind === 'changed')).toHaveLength(1)
      })

      it('cannot be spent at the millisecond it expires, nor when it was replaced', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        expect(await store.resets.spend(reset.id, reset.expiresAt, [])).toBe(false)
        await store.resets.request(resetRequest('alice', { now: now + minutes(40) }))
        expect(await store.resets.spend(reset.id, now, [])).toBe(false)
      })

      it('holds its notice back until the password is confirmed', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        await claim(store, now, hours(9), 10)
        await store.resets.spend(reset.id, now, [notice()])
        expect(await claim(store, now, seconds(15), 10)).toHaveLength(0)
        await store.resets.confirm(reset.id, now)
        expect(await claim(store, now, seconds(15), 10)).toMatchObject([{ kind: 'changed' }])
      })

      it('lives on when the password was not written, and is told of once when it was', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        await claim(store, now, hours(9), 10)
        await store.resets.spend(reset.id, now, [notice()])
        await store.resets.release(reset.id, now)
        expect((await store.resets.find(reset.id))?.state).toBe('live')
        expect(await store.resets.spend(reset.id, now, [notice()])).toBe(true)
        const jobs = await claim(store, now + hours(2), seconds(15), 10)
        expect(jobs).toMatchObject([{ kind: 'changed' }])
      })

      it('stays ended once it has ended', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        await store.resets.end(reset.id, 'expired', now)
        await store.resets.end(reset.id, 'revoked', now)
        await store.resets.release(reset.id, now)
        expect((await store.resets.find(reset.id))?.state).toBe('expired')
      })
    })

    describe('a mail job', () => {
      it('is given to one of many simultaneous couriers', async () => {
        await Promise.all(
          Array.from({ length: 30 }, (_, index) =>
            store.resets.request(resetRequest(`user${index}`)),
          ),
        )
        const claims = await Promise.all(
          Array.from({ length: 24 }, (_, index) =>
            claim([store, ...others][index % 4] ?? store, now, seconds(15), 3),
          ),
        )
        const ids = claims.flat().map((job) => job?.id)
        expect(ids).toHaveLength(30)
        expect(new Set(ids).size).toBe(30)
      })

      it('is due again when its lease has run out, and not before', async () => {
        await store.resets.request(resetRequest('alice'))
        await claim(store, now, seconds(15), 1)
        expect(await claim(store, now + seconds(14), seconds(15), 1)).toHaveLength(0)
        expect(await claim(store, now + seconds(15), seconds(15), 1)).toMatchObject([
          { attempts: 2 },
        ])
      })

      it('stays with the one who renews it', async () => {
        await store.resets.request(resetRequest('alice'))
        const [job] = await claim(store, now, seconds(15), 1)
        await store.jobs.renew(job?.id ?? '', now + seconds(10), seconds(15))
        expect(await claim(store, now + seconds(20), seconds(15), 1)).toHaveLength(0)
      })

      it('waits for its next try', async () => {
        await store.resets.request(resetRequest('alice'))
        const [job] = await claim(store, now, seconds(15), 1)
        await store.jobs.retry(job?.id ?? '', now + minutes(2), 'busy')
        expect(await claim(store, now + seconds(119), seconds(15), 1)).toHaveLength(0)
        expect(await claim(store, now + minutes(2), seconds(15), 1)).toHaveLength(1)
      })

      it.each([
        ['finish', null],
        ['drop', null],
        ['bury', 'sealed alice'],
      ] as const)('ends when it is %s; then its address is %s', async (end, sealedAddress) => {
        await store.resets.request(resetRequest('alice'))
        const [job] = await claim(store, now, seconds(15), 1)
        await store.jobs[end](job?.id ?? '', now, 'refused')
        expect(await claim(store, now + hours(9), seconds(15), 1)).toHaveLength(0)
        // One that has ended does not come back.
        await store.jobs.retry(job?.id ?? '', now, 'late')
        expect(await claim(store, now + hours(9), seconds(15), 1)).toHaveLength(0)
        expect(await store.queue.find(job?.id ?? '')).toMatchObject([{ sealedAddress }])
      })

      it('that is given up too late, or has become too late since, forgets its address', async () => {
        for (const name of ['alice', 'bob']) await store.resets.request(resetRequest(name))
        const [late, early] = await claim(store, now, seconds(15), 2)
        await store.jobs.bury(late?.id ?? '', now + hours(1), 'expired')
        await store.jobs.bury(early?.id ?? '', now, 'refused')
        await store.prune(now + hours(1), now, 100)
        expect(await store.queue.list(['dead'], 10)).toMatchObject([
          { sealedAddress: null },
          { sealedAddress: null },
        ])
      })

      it('that was put back keeps its tries', async () => {
        await store.resets.request(resetRequest('alice'))
        const [job] = await claim(store, now, seconds(15), 1)
        await store.jobs.putBack(job?.id ?? '', now + 5)
        expect(await claim(store, now + 4, seconds(15), 1)).toHaveLength(0)
        expect(await claim(store, now + 5, seconds(15), 1)).toMatchObject([{ attempts: 1 }])
      })

      it('is taken while no server can be used only when it comes too late', async () => {
        await store.resets.request(resetRequest('alice'))
        await store.resets.request(resetRequest('bob', { lifetimeMs: 10 }))
        const only = {
          leaseMs: seconds(15),
          count: 10,
          latest: now + hours(9),
          isTooLateOnly: true,
        }
        expect(await store.jobs.claim({ ...only, now })).toEqual([])
        expect(await store.jobs.claim({ ...only, now: now + 10 })).toMatchObject([
          { sealedAddress: 'sealed bob' },
        ])
      })

      it('that a clock two hours ahead has put off is due when the clock is right again', async () => {
        await store.resets.request(resetRequest('alice', { now: now + hours(2) }))
        const due = { leaseMs: seconds(15), count: 1, isTooLateOnly: false, now }
        expect(await store.jobs.claim({ ...due, latest: now + hours(3) })).toEqual([])
        expect(await store.jobs.claim({ ...due, latest: now + minutes(10) })).toHaveLength(1)
      })

      it('goes out in the order it came in', async () => {
        for (const index of [0, 1, 2])
          await store.resets.request(resetRequest(`user${index}`, { now: now + index }))
        const order: string[] = []
        for (let index = 0; index < 3; index += 1) {
          const [job] = await claim(store, now + 10, seconds(15), 1)
          order.push(job?.sealedAddress ?? '')
        }
        expect(order).toEqual(['sealed user0', 'sealed user1', 'sealed user2'])
      })
    })

    describe('the queue, as its owner sees it,', () => {
      const ids = async (states: Parameters<Store['queue']['list']>[0]) =>
        (await store.queue.list(states, 10)).map((job) => job.id)

      it('lists the newest first, and finds by reference and by the beginning of an id', async () => {
        const alice = await store.resets.request(resetRequest('alice'))
        await store.resets.request(resetRequest('bob', { now: now + 1 }))
        const [newest, oldest] = await store.queue.list(['queued'], 10)
        expect(newest).toMatchObject({ state: 'queued', dueAt: now + 1, endedAt: null })
        expect(await store.queue.find(alice.reference)).toEqual([oldest])
        expect(await store.queue.find(newest?.id.slice(0, 8) ?? '')).toEqual([newest])
        expect(await store.queue.list(['queued'], 1)).toEqual([newest])
        expect(await store.queue.find('none')).toEqual([])
      })

      it('has a mail that was given up tried again, with all of its tries', async () => {
        await store.resets.request(resetRequest('alice'))
        const [job] = await claim(store, now, seconds(15), 1)
        const id = job?.id ?? ''
        expect(await store.queue.retry(id, now)).toBe(false)
        await store.jobs.bury(id, now, 'refused')
        expect(await store.queue.retry(id, now + 1)).toBe(true)
        expect(await claim(store, now + 1, seconds(15), 1)).toMatchObject([{ id, attempts: 1 }])
      })

      it('sends nothing that comes too late, and nothing whose address is gone', async () => {
        await store.resets.request(resetRequest('alice'))
        const [job] = await claim(store, now, seconds(15), 1)
        await store.jobs.bury(job?.id ?? '', now, 'refused')
        expect(await store.queue.retry(job?.id ?? '', now + hours(1))).toBe(false)
        await store.prune(now + hours(1), now, 100)
        expect(await store.queue.retry(job?.id ?? '', now)).toBe(false)
      })

      it('drops what waits or was given up, and forgets its address', async () => {
        await store.resets.request(resetRequest('alice'))
        const [id = ''] = await ids(['queued'])
        expect(await store.queue.drop(id, now)).toBe(true)
        expect(await store.queue.drop(id, now)).toBe(false)
        expect(await store.queue.list(['dropped'], 10)).toMatchObject([{ id, sealedAddress: null }])
        expect(await claim(store, now, seconds(15), 1)).toEqual([])
      })

      it('counts its jobs by state, and tells the age of the oldest that is owed', async () => {
        expect(await store.queue.totals(now)).toEqual({
          ...{ queued: 0, sending: 0, sent: 0, dropped: 0, dead: 0 },
          oldestMs: null,
        })
        for (const name of ['alice', 'bob', 'carol'])
          await store.resets.request(resetRequest(name, { now: now + 1 }))
        const [sent, dead] = await claim(store, now + 1, seconds(15), 2)
        await store.jobs.finish(sent?.id ?? '', now)
        await store.jobs.bury(dead?.id ?? '', now, 'refused')
        expect(await store.queue.totals(now + seconds(9))).toEqual({
          ...{ queued: 1, sending: 0, sent: 1, dropped: 0, dead: 1 },
          oldestMs: seconds(9) - 1,
        })
      })
    })

    it('deletes what has long ended, in batches, and nothing else', async () => {
      for (const index of [0, 1, 2]) {
        const gone = await store.resets.request(resetRequest(`user${index}`))
        await store.resets.spend(gone.id, now, [])
      }
      const open = await store.resets.request(resetRequest('bob', { now: now + hours(30) }))
      const prune = () => store.prune(now + hours(30), now + hours(6), 2)
      expect([await prune(), await prune()]).toEqual([true, false])
      expect((await store.resets.find(open.id))?.state).toBe('live')
    })

    it('ends what has expired while nobody asked', async () => {
      const reset = await store.resets.request(resetRequest('alice'))
      await store.prune(now + hours(2), now, 100)
      expect((await store.resets.find(reset.id))?.state).toBe('expired')
    })

    it('says that it answers', async () => {
      await expect(store.check()).resolves.toBeUndefined()
    })
  })
}
