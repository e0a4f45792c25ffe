import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RecoveryEvent } from '../../src/events.ts'
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
        expect(right).toMatchObject({
          verdict: 'right',
          reset: { state: 'used', code: { tries: 1 } },
        })
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

      it('is not locked for the day by a clock that was ahead', async () => {
        const ahead = now + hours(24 * 365)
        const wrong = await store.resets.request(withCode({ now: ahead }))
        const few = { mostDailyTries: 2 }
        for (let each = 0; each < 2; each += 1) {
          await store.resets.tryCode({ ...attempt(wrong.id, ahead), ...few })
        }
        const { id } = await store.resets.request(withCode())
        const tried = await store.resets.tryCode({ ...attempt(id), ...few })
        expect(tried.verdict).toBe('wrong')
      })

      it('is its reset’s alone: what is done to one is done to no other', async () => {
        const [one, other] = [
          await store.resets.request(withCode()),
          await store.resets.request(resetRequest('bob', { code: codeRules })),
        ]
        const codes = async () =>
          (await Promise.all([one, other].map(({ id }) => store.resets.find(id)))).map(
            (each) => each?.code,
          )
        for (const id of [one.id, one.id, other.id]) await store.resets.tryCode(attempt(id))
        expect(await codes()).toMatchObject([{ tries: 2 }, { tries: 1 }])
        await store.resets.tryCode(attempt(other.id, now, true))
        expect(await codes()).toMatchObject([{ tries: 2 }, { tries: 1 }])
        const [, kept] = await codes()
        const later = now + minutes(6)
        await store.resets.request(withCode({ now: later }))
        expect(await codes()).toEqual([
          { generation: 2, expiresAt: later + minutes(10), tries: 0 },
          kept,
        ])
        const late = await store.resets.tryCode(attempt(other.id, now + minutes(10)))
        expect(late.verdict).toBe('ended')
        expect((await store.resets.tryCode(attempt(one.id, later))).verdict).toBe('wrong')
      })

      it('that comes alone ends its mail', async () => {
        const code = { ...codeRules, isAlone: true }
        await store.resets.request(resetRequest('alice', { code }))
        const [job] = await claim(store, now, seconds(15), 10)
        expect(job?.expiresAt).toBe(now + minutes(10))
        await store.resets.request(resetRequest('bob', { code: codeRules }))
        const [withLink] = await claim(store, now, seconds(15), 10)
        expect(withLink?.expiresAt).toBe(now + hours(1))
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
        const without = await store.resets.request(resetRequest('bob'))
        expect((await store.resets.tryCode(attempt(without.id))).verdict).toBe('ended')
        expect((await store.resets.find(without.id))?.code).toBeNull()
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
        await store.resets.spend(second.id, now + 1, [])
        expect((await store.resets.findByReference(first.reference))?.id).toBe(second.id)
        expect((await store.resets.findBySubject(['subject of alice']))?.id).toBe(second.id)
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

      it('leaves the resets of other addresses as they are', async () => {
        const bobs = await store.resets.request(resetRequest('bob', { lifetimeMs: hours(9) }))
        const used = await store.resets.request(resetRequest('alice'))
        await store.resets.spend(used.id, now, [])
        const next = await store.resets.request(resetRequest('alice'))
        expect(next).toMatchObject({ reference: used.reference })
        expect([used.id, bobs.id]).not.toContain(next.id)
        await store.resets.request(resetRequest('alice', { now: now + minutes(31) }))
        await store.resets.request(resetRequest('alice', { now: now + hours(3) }))
        expect((await store.resets.find(bobs.id))?.state).toBe('live')
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
        const bobs = await store.resets.request(resetRequest('bob'))
        const first = await store.resets.request(resetRequest('alice', { subjectKeys: ['old'] }))
        const second = await store.resets.request(
          resetRequest('alice', { subjectKeys: ['new', 'old'] }),
        )
        expect(second.id).toBe(first.id)
        expect((await store.resets.findBySubject(['subject of bob']))?.id).toBe(bobs.id)
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
        const other = await store.resets.request(resetRequest('bob', { now: now + 1 }))
        const [job] = await claim(store, now, seconds(15), 10)
        const jobId = job?.id ?? ''
        const again = await store.resets.restart(resetRequest('alice', { now: now + 1, jobId }))
        const { reference, expiresAt } = first
        expect(again).toMatchObject({ reference, expiresAt, state: 'live' })
        expect(again.id).not.toBe(first.id)
        expect((await store.resets.find(first.id))?.state).toBe('replaced')
        // The mail that found it out goes on, and no other is owed.
        const jobs = await claim(store, now + minutes(1), seconds(15), 10)
        expect(jobs).toMatchObject([
          { id: jobId, resetId: again.id, attempts: 2 },
          { resetId: other.id, attempts: 1 },
        ])
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

      it('finds the live one behind one that a wrong clock has made, and that is used', async () => {
        const ahead = await store.resets.request(resetRequest('alice', { now: now + hours(2) }))
        await store.resets.spend(ahead.id, now + hours(2), [])
        const right = await store.resets.request(resetRequest('alice'))
        const again = await store.resets.request(resetRequest('alice'))
        expect([right.state, again.id]).toEqual(['live', right.id])
        expect((await store.resets.findBySubject(['subject of alice']))?.id).toBe(right.id)
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

      it('counts no news of a changed password as a mail', async () => {
        const limits = [{ count: 2, windowMs: hours(1) }]
        const first = await store.resets.request(resetRequest('alice', { limits }))
        const news = { ...notice(), subjectKey: 'subject of alice' }
        await store.resets.spend(first.id, now, [news])
        const second = await store.resets.request(resetRequest('alice', { limits }))
        const third = await store.resets.request(resetRequest('alice', { limits }))
        expect([second.isGranted, third.isGranted]).toEqual([true, false])
      })

      it('never returns to a reset that has expired, even when the clock jumps back', async () => {
        const first = await store.resets.request(resetRequest('alice'))
        const second = await store.resets.request(resetRequest('alice', { now: now + hours(1) }))
        expect(second.id).not.toBe(first.id)
        expect((await store.resets.find(first.id))?.state).toBe('expired')
        await store.resets.request(resetRequest('alice', { now: now - hours(3) }))
        expect((await store.resets.find(first.id))?.state).toBe('expired')
      })

      it('shows nobody beyond a limit one that has expired', async () => {
        const limits = [{ count: 1, windowMs: hours(3) }]
        const first = await store.resets.request(resetRequest('alice', { limits }))
        const at = now + hours(2)
        const second = await store.resets.request(resetRequest('alice', { limits, now: at }))
        expect(second).toMatchObject({ isGranted: false, expiresAt: at + hours(1), state: 'live' })
        expect(second.reference).not.toBe(first.reference)
      })

      it('issues one that nobody is mailed, in the place of the one that is live', async () => {
        const bobs = await store.resets.request(resetRequest('bob'))
        const mailed = await store.resets.request(resetRequest('alice'))
        const issued = await store.resets.issue(resetRequest('alice', { now: now + 1 }))
        expect(issued).toMatchObject({ state: 'live', expiresAt: now + 1 + hours(1) })
        expect(issued.reference).not.toBe(mailed.reference)
        expect((await store.resets.find(mailed.id))?.state).toBe('replaced')
        expect((await store.resets.find(bobs.id))?.state).toBe('live')
        expect((await store.queue.totals(now)).queued).toBe(2)
        expect(await store.audit.about(['subject of alice'], null, 1)).toMatchObject([
          { name: 'requested', resetId: issued.id, reason: 'support' },
        ])
      })

      it('ends by its time only what was live', async () => {
        const used = await store.resets.request(resetRequest('alice'))
        await store.resets.spend(used.id, now, [])
        const live = await store.resets.request(resetRequest('alice'))
        await store.resets.request(resetRequest('alice', { now: now + hours(2) }))
        const states = [used, live].map(async ({ id }) => (await store.resets.find(id))?.state)
        expect(await Promise.all(states)).toEqual(['used', 'expired'])
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

      it('is named on its own reset alone, and ends no other account’s', async () => {
        const bobs = await store.resets.request(resetRequest('bob'))
        await store.resets.assign({ ...assignment, resetId: bobs.id, userId: '8' })
        const unnamed = await store.resets.request(resetRequest('nobody'))
        const { id } = await store.resets.request(resetRequest('alice'))
        await store.resets.assign({ ...assignment, resetId: id })
        expect(await store.resets.find(bobs.id)).toMatchObject({ userId: '8', state: 'live' })
        expect(await store.resets.find(unnamed.id)).toMatchObject({ userId: null, state: 'live' })
      })

      it('keeps what its ended resets were ended by', async () => {
        const used = await store.resets.request(resetRequest('alice'))
        await store.resets.assign({ ...assignment, resetId: used.id })
        await store.resets.spend(used.id, now, [])
        const next = await store.resets.request(resetRequest('alice'))
        await store.resets.assign({ ...assignment, resetId: next.id })
        await store.resets.revoke(next.id, now)
        expect((await store.resets.find(used.id))?.state).toBe('used')
      })

      it('has all of its live resets revoked with one of them, and nobody else’s', async () => {
        const bobs = await store.resets.request(resetRequest('bob'))
        await store.resets.assign({ ...assignment, resetId: bobs.id, userId: '8' })
        const unnamed = await store.resets.request(resetRequest('nobody'))
        const used = await store.resets.request(resetRequest('alice'))
        await store.resets.assign({ ...assignment, resetId: used.id })
        await store.resets.spend(used.id, now, [])
        const live = await store.resets.request(resetRequest('alice'))
        await store.resets.assign({ ...assignment, resetId: live.id })
        await store.resets.revoke(used.id, now)
        const states = [used, live, bobs, unnamed].map(
          async ({ id }) => (await store.resets.find(id))?.state,
        )
        expect(await Promise.all(states)).toEqual(['used', 'revoked', 'live', 'live'])
        await store.resets.revoke(unnamed.id, now)
        expect((await store.resets.find(unnamed.id))?.state).toBe('revoked')
        expect((await store.resets.find(bobs.id))?.state).toBe('live')
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

      it('keeps its notice whatever becomes of others', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        const other = await store.resets.request(resetRequest('bob'))
        await claim(store, now, hours(9), 10)
        await store.resets.spend(reset.id, now, [notice()])
        await store.resets.spend(other.id, now, [notice()])
        await store.resets.confirm(other.id, now)
        expect(await claim(store, now, hours(9), 10)).toMatchObject([{ resetId: other.id }])
        const due = now + seconds(10)
        expect(await claim(store, due, hours(9), 10)).toMatchObject([{ resetId: reset.id }])
        // Whoever sends it keeps it, though the password is confirmed late.
        await store.resets.confirm(reset.id, due)
        expect(await claim(store, due, hours(9), 10)).toEqual([])
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

      it('lives on whatever others there are, unless its address has a new one', async () => {
        const used = await store.resets.request(resetRequest('carol'))
        await store.resets.spend(used.id, now, [])
        await store.resets.request(resetRequest('bob'))
        const first = await store.resets.request(resetRequest('alice'))
        await store.resets.spend(first.id, now, [])
        await store.resets.release(first.id, now)
        expect((await store.resets.find(first.id))?.state).toBe('live')
        expect((await store.resets.find(used.id))?.state).toBe('used')
        await store.resets.spend(first.id, now, [])
        const second = await store.resets.request(resetRequest('alice'))
        await store.resets.release(first.id, now)
        expect((await store.resets.find(first.id))?.state).toBe('replaced')
        expect((await store.resets.find(second.id))?.state).toBe('live')
      })

      it('does not live on beside another of its account', async () => {
        const assign = (resetId: string) =>
          store.resets.assign({ resetId, userId: '7', accountMark: 'mark', locale: 'en', now })
        const first = await store.resets.request(resetRequest('alice'))
        await assign(first.id)
        await store.resets.spend(first.id, now, [])
        const alias = await store.resets.request(resetRequest('alias'))
        await assign(alias.id)
        await store.resets.release(first.id, now)
        expect((await store.resets.find(first.id))?.state).toBe('replaced')
        expect((await store.resets.find(alias.id))?.state).toBe('live')
      })

      it('does not live on when it has expired meanwhile', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        await store.resets.spend(reset.id, now, [])
        await store.resets.release(reset.id, reset.expiresAt)
        expect((await store.resets.find(reset.id))?.state).toBe('used')
      })

      it('leaves the news that was sent of an earlier change', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        await claim(store, now, hours(9), 10)
        const [sent, next] = [notice(), notice()]
        await store.resets.spend(reset.id, now, [sent])
        await store.resets.confirm(reset.id, now)
        await claim(store, now, seconds(15), 10)
        await store.jobs.finish(sent.id, now)
        await store.resets.release(reset.id, now)
        expect(await store.resets.spend(reset.id, now, [next])).toBe(true)
        expect(await store.queue.list(['sent'], 10)).toMatchObject([{ id: sent.id }])
        expect(await store.queue.list(['queued'], 10)).toMatchObject([{ id: next.id }])
      })

      it('stays ended once it has ended', async () => {
        const reset = await store.resets.request(resetRequest('alice'))
        const other = await store.resets.request(resetRequest('bob'))
        await store.resets.end(reset.id, 'expired', now)
        await store.resets.end(reset.id, 'revoked', now)
        await store.resets.release(reset.id, now)
        expect((await store.resets.find(reset.id))?.state).toBe('expired')
        expect((await store.resets.find(other.id))?.state).toBe('live')
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

      it.each([
        ['finished', 'sent', (id: string) => store.jobs.finish(id, now)],
        ['dropped', 'dropped', (id: string) => store.jobs.drop(id, now)],
        ['buried', 'dead', (id: string) => store.jobs.bury(id, now, 'refused')],
        ['put back', 'queued', (id: string) => store.jobs.putBack(id, now)],
        ['tried again', 'queued', (id: string) => store.jobs.retry(id, now, 'busy')],
      ] as const)('that is %s leaves the others with whoever has them', async (_, state, end) => {
        for (const name of ['alice', 'bob']) await store.resets.request(resetRequest(name))
        const [one, other] = await claim(store, now, seconds(15), 2)
        await end(one?.id ?? '')
        expect(await store.queue.find(one?.id ?? '')).toMatchObject([{ state }])
        expect(await store.queue.find(other?.id ?? '')).toMatchObject([
          { ...other, state: 'sending', dueAt: now + seconds(15), lastError: null },
        ])
      })

      it('is renewed alone', async () => {
        for (const name of ['alice', 'bob']) await store.resets.request(resetRequest(name))
        const [one, other] = await claim(store, now, seconds(15), 2)
        await store.jobs.renew(one?.id ?? '', now, minutes(1))
        expect(await claim(store, now + seconds(15), seconds(15), 2)).toMatchObject([
          { id: other?.id },
        ])
      })

      it('that has ended is as it has ended, whoever comes late', async () => {
        await store.resets.request(resetRequest('alice'))
        const [job] = await claim(store, now, seconds(15), 1)
        const id = job?.id ?? ''
        await store.jobs.finish(id, now)
        const sent = await store.queue.find(id)
        expect(sent).toMatchObject([{ state: 'sent', endedAt: now, lastError: null }])
        const late = now + 1
        expect(await store.jobs.bury(id, late, 'refused')).toBe(false)
        await store.jobs.drop(id, late)
        await store.jobs.finish(id, late)
        await store.jobs.putBack(id, late)
        await store.jobs.retry(id, late, 'busy')
        await store.jobs.renew(id, late, seconds(15))
        expect(await store.queue.find(id)).toEqual(sent)
      })

      it('tells an address once a day that it has no account, whatever others are told', async () => {
        const at = (time: number) => resetRequest('nobody', { now: time })
        await store.resets.request(resetRequest('other'))
        const [others] = await claim(store, now, hours(9), 1)
        expect(await store.jobs.tellNoAccount(others?.id ?? '', now)).toBe(true)
        await store.resets.request(at(now))
        const [first] = await claim(store, now, hours(9), 1)
        const id = first?.id ?? ''
        for (const each of [1, 2])
          expect([each, await store.jobs.tellNoAccount(id, now)]).toEqual([each, true])
        expect(await store.queue.find(id)).toMatchObject([{ kind: 'no-account' }])
        const later = now + hours(24) - 1
        await store.resets.request(at(later))
        const [second] = await claim(store, later, hours(50), 10).then((jobs) =>
          jobs.filter((job) => job.createdAt === later),
        )
        expect(await store.jobs.tellNoAccount(second?.id ?? '', later)).toBe(false)
        expect(await store.queue.find(second?.id ?? '')).toMatchObject([{ kind: 'recovery' }])
        expect(await store.jobs.tellNoAccount(second?.id ?? '', later + 1)).toBe(true)
      })

      it('tells an address that it has no account although a clock that was ahead has told it', async () => {
        const ahead = now + hours(24 * 365)
        await store.resets.request(resetRequest('nobody', { now: ahead }))
        const [wrong] = await claim(store, ahead, seconds(15), 1)
        expect(await store.jobs.tellNoAccount(wrong?.id ?? '', ahead)).toBe(true)
        await store.resets.request(resetRequest('nobody', { now: now + minutes(1) }))
        const [right] = await claim(store, now + minutes(1), seconds(15), 1)
        expect(await store.jobs.tellNoAccount(right?.id ?? '', now + minutes(1))).toBe(true)
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
        const tooLate = { ...due, latest: now + minutes(10), isTooLateOnly: true }
        expect(await store.jobs.claim(tooLate)).toEqual([])
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
        const again = await claim(store, now + minutes(1), seconds(15), 10)
        expect(again.map(({ sealedAddress }) => sealedAddress)).toEqual(order)
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
        await store.prune(now + 1, now, 100)
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
        const other = await store.resets.request(resetRequest('bob', { now: now + 1 }))
        expect(await store.queue.drop(id, now)).toBe(true)
        expect(await store.queue.list(['queued'], 10)).toMatchObject([{ resetId: other.id }])
        expect(await store.queue.drop(id, now)).toBe(false)
        expect(await store.queue.list(['dropped'], 10)).toMatchObject([{ id, sealedAddress: null }])
        expect(await claim(store, now, seconds(15), 1)).toEqual([])
        const [sending] = await claim(store, now + 1, seconds(15), 1)
        expect(await store.queue.drop(sending?.id ?? '', now)).toBe(false)
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

    describe('the trail', () => {
      const event = (over: Partial<RecoveryEvent> = {}): RecoveryEvent => ({
        name: 'opened',
        at: now,
        resetId: null,
        userId: null,
        subjectKey: 'subject of alice',
        client: '192.0.2.0',
        reason: '',
        ...over,
      })

      it('is told one event after the other, and nothing is told twice', async () => {
        await store.audit.add([event(), event({ name: 'changed', at: now + 1 })])
        const first = await store.audit.claimNext(now + 1, seconds(10))
        expect(first).toMatchObject(event())
        expect(await others[0]?.audit.claimNext(now + 1, seconds(10))).toBeNull()
        // Who had claimed it has died.
        const later = now + 1 + seconds(10)
        expect((await store.audit.claimNext(later, seconds(10)))?.id).toBe(first?.id)
        await store.audit.told(first?.id ?? '', later)
        const second = await store.audit.claimNext(later, seconds(10))
        expect(second).toMatchObject({ name: 'changed', at: now + 1 })
        await store.audit.postpone(second?.id ?? '', later + minutes(1))
        expect(await store.audit.claimNext(later + minutes(1) - 1, seconds(10))).toBeNull()
        expect((await store.audit.claimNext(later + minutes(1), seconds(10)))?.id).toBe(second?.id)
        await store.audit.told(second?.id ?? '', later)
        expect(await store.audit.claimNext(later + hours(1), seconds(10))).toBeNull()
      })

      it('is no news after a day', async () => {
        await store.audit.add([event()])
        expect(await store.audit.claimNext(now + hours(24), seconds(10))).toBeNull()
        expect(await store.audit.claimNext(now + hours(24) - 1, seconds(10))).not.toBeNull()
      })

      it('keeps the order of what happened at the same time', async () => {
        const names = ['opened', 'changed', 'sent', 'rejected'] as const
        await store.audit.add(names.map((each) => event({ name: each })))
        const told = await store.audit.about(['subject of alice'], null, 10)
        expect(told.map((each) => each.name)).toEqual(names.toReversed())
      })

      it('names the owner of a recovery where an event does not, and that one alone', async () => {
        const { id: resetId } = await store.resets.request(resetRequest('alice'))
        await store.resets.assign({ ...assignment, resetId })
        const bobs = await store.resets.request(resetRequest('bob'))
        await store.resets.assign({ ...assignment, resetId: bobs.id, userId: '8' })
        const written = await store.audit.add([
          event({ name: 'sent', subjectKey: null, resetId: bobs.id }),
          event({ name: 'sent', subjectKey: null, resetId }),
          event({ resetId, userId: '9', subjectKey: null }),
          event({ name: 'rejected', subjectKey: null }),
        ])
        expect(written).toMatchObject([
          { userId: '8', subjectKey: 'subject of bob' },
          { userId: '7', subjectKey: 'subject of alice' },
          { userId: '9', subjectKey: null },
          { userId: null, subjectKey: null },
        ])
        const names = (events: readonly RecoveryEvent[]) => events.map((each) => each.name)
        const both = await store.audit.about(['subject of alice'], '9', 10)
        expect(names(both)).toEqual(['opened', 'sent', 'requested'])
        expect(names(await store.audit.about(['subject of bob'], null, 1))).toEqual(['sent'])
      })
    })

    describe('the marks of secrets', () => {
      const day = hours(24)

      it('refuse a secret that lacks another in use, for as long as that counts', async () => {
        expect(await store.keyMarks.use(['a'], now, day)).toBe(true)
        expect(await store.keyMarks.use(['b'], now + 1, day)).toBe(false)
        expect(await store.keyMarks.use(['a'], now + 2, day)).toBe(true)
        expect(await store.keyMarks.use(['b', 'a'], now + 3, day)).toBe(true)
        expect(await store.keyMarks.use(['a'], now + 4, day)).toBe(false)
        expect(await store.keyMarks.use(['a', 'b'], now + 5, day)).toBe(true)
        // The older one was last used before the newer: that one still counts.
        expect(await store.keyMarks.use(['b'], now + day + 2, day)).toBe(true)
        expect(await store.keyMarks.use(['c'], now + 2 * day + 2, day)).toBe(true)
      })

      it('are written down again after an hour of use', async () => {
        expect(await store.keyMarks.use(['a'], now, day)).toBe(true)
        expect(await store.keyMarks.use(['a'], now + hours(2), day)).toBe(true)
        expect(await store.keyMarks.use(['b'], now + day + hours(1), day)).toBe(false)
        expect(await store.keyMarks.use(['b'], now + day + hours(2), day)).toBe(true)
      })

      it('are forgotten when asked to', async () => {
        await store.keyMarks.use(['a'], now, day)
        await store.keyMarks.forget()
        expect(await store.keyMarks.use(['b'], now, day)).toBe(true)
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

    it('deletes a reset by when it would have expired, whenever it was used', async () => {
      const reset = await store.resets.request(resetRequest('alice'))
      await store.resets.spend(reset.id, now, [])
      await store.prune(now + hours(30), reset.expiresAt, 100)
      expect((await store.resets.find(reset.id))?.state).toBe('used')
      await store.prune(now + hours(30), reset.expiresAt + 1, 100)
      expect(await store.resets.find(reset.id)).toBeNull()
    })

    it('deletes a mail by when it has ended, and none that is owed', async () => {
      for (const name of ['alice', 'bob']) await store.resets.request(resetRequest(name))
      const [sent] = await claim(store, now, seconds(15), 1)
      await store.jobs.finish(sent?.id ?? '', now + hours(2))
      await store.prune(now + hours(30), now + hours(2), 100)
      expect(await store.queue.totals(now)).toMatchObject({ queued: 1, sent: 1 })
      await store.prune(now + hours(30), now + hours(2) + 1, 100)
      expect(await store.queue.totals(now)).toMatchObject({ queued: 1, sent: 0 })
    })

    it('deletes what has happened half a year ago', async () => {
      await store.resets.request(resetRequest('alice'))
      const events = () => store.audit.about(['subject of alice'], null, 10)
      const halfYear = hours(180 * 24)
      await store.prune(now + halfYear, now + halfYear, 100)
      expect(await events()).toHaveLength(1)
      await store.prune(now + halfYear + 1, now + halfYear, 100)
      expect(await events()).toEqual([])
    })

    it('ends what has expired while nobody asked', async () => {
      const reset = await store.resets.request(resetRequest('alice'))
      const used = await store.resets.request(resetRequest('bob'))
      await store.resets.spend(used.id, now, [])
      await store.prune(now + hours(2), now, 100)
      expect((await store.resets.find(reset.id))?.state).toBe('expired')
      expect((await store.resets.find(used.id))?.state).toBe('used')
    })

    it('says that it answers', async () => {
      await expect(store.check()).resolves.toBeUndefined()
    })
  })
}
