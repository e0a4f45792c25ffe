import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { Opened } from '../../src/opened.ts'
import { openStore } from '../../src/parts.ts'
import { newResetRequest } from '../../src/proof/reset-request.ts'
import { hours } from '../support/clock.ts'
import { Relay, type Step } from '../support/relay.ts'
import { accounts, Site } from '../support/site.ts'
import { eventually } from '../support/wait.ts'
import { ask, expectHealed, failuresOf, jobsOf, letTimePass, startSiteOf } from './relayed.ts'

const { alice } = accounts
// No claim takes as many at a time.
const mostUnderway = 64

let relay: Relay
let site: Site

beforeEach(async () => {
  relay = await Relay.start()
})
afterEach(async () => {
  await expectHealed(site, relay)
  await relay.stop()
  await site.stop()
})

const member = (index: number) => `member${index}@site.example`
/** The places in the queue of the mails that were given, in the order of their arrival. */
const places = () =>
  relay.given.map(({ recipients: [recipient = ''] }) => Number(/\d+/.exec(recipient)?.[0]))
/** How many jobs there are in each state. */
const states = async (): Promise<Record<string, number>> => {
  const rows = await site.rows<{ state: string; count: number }>(
    'select state, count(*) as count from mail_job group by state',
  )
  return Object.fromEntries(rows.map(({ state, count }) => [state, count]))
}

/** A site that owes so many mails, each asked for a millisecond after the one before, and begins to deliver them. */
async function startOwing(count: number, smtp: object, fail = () => {}): Promise<void> {
  site = await startSiteOf(relay, { smtp })
  await site.server?.close()
  const insert = site.database.prepare(
    "insert into members (mail, full_name, language, pw_hash) select ?, 'Member', 'en', pw_hash from members limit 1",
  )
  const insertAll = site.database.transaction(() => {
    for (let index = 0; index < count; index += 1) insert.run(member(index))
  })
  insertAll()
  const config = loadConfig(site.config, { env: {} })
  const opened = new Opened()
  const { keys, store } = await openStore(config, opened)
  const parts = { config, keys, clock: site.clock }
  for (let index = 0; index < count; index += 1) {
    site.clock.move(1)
    await store.resets.request(newResetRequest(member(index), 'en', parts))
  }
  await opened.close()
  fail()
  await site.listen()
}

describe('many mails', () => {
  it('Z8 go in the order in which they were asked for, by as many connections as there may be', async () => {
    relay.mailMs = 2
    await startOwing(300, { pool: 3 })
    const claimed: number[] = []
    await eventually(async () => {
      claimed.push((await states())['sending'] ?? 0)
      return relay.taken.length >= 100
    })
    expect(relay.mostAtOnce).toBe(3)
    expect(Math.max(...claimed)).toBeLessThanOrEqual(mostUnderway)
    // Three connections can overtake one another by no more than that.
    for (const [index, place] of places().entries()) expect(Math.abs(place - index)).toBeLessThan(3)

    site.clock.move(hours(1))
    const givenInTime = relay.given.length
    await eventually(async () => {
      const { queued = 0, sending = 0 } = await states()
      return queued + sending === 0
    })
    const { sent = 0, dead, ...others } = await states()
    expect([dead, others]).toEqual([300 - sent, {}])
    // What was on its way was, and nothing after that.
    expect(relay.given.length).toBeLessThanOrEqual(givenInTime + 3)
    expect(relay.given).toHaveLength(sent)
    expect(new Set(places()).size).toBe(sent)
    await eventually(async () => (await failuresOf(site)).length === dead)
    expect(new Set(await failuresOf(site))).toEqual(new Set(['expired']))
    expect((await jobsOf(site)).filter((job) => job.sealed_address !== null)).toEqual([])
    // A few stand for all of them in what is looked at after each case.
    site.smtp.mails.splice(5)
    site.database.exec("delete from members where mail like 'member%'")
  })

  it('Z8 that were put back go in the order in which they were asked for', async () => {
    const count = mostUnderway + 8
    await startOwing(count, { pool: 1 }, () => relay.fail('MAIL', 'silence'))
    await eventually(() => relay.isSilent)
    await relay.stop()
    await eventually(async () => (await states())['queued'] === count)
    await relay.heal()
    await eventually(() => relay.taken.length >= count - 1)
    // The first waits for its second try: the clock stands still.
    expect(places()).toEqual(Array.from({ length: count - 1 }, (_, index) => index + 1))
  })
})

describe('a relay that drips its answers', () => {
  const timeoutMs = 100

  beforeEach(() => {
    // So often that nothing which waits for the next byte notices, and for longer than a test.
    relay.byteMs = 100
    relay.extensions = Array.from({ length: 100 }, (_, index) => `X-EXTENSION-${index}`)
  })
  it.each<Step>(['EHLO', 'MAIL', 'dot'])(
    'Z8 at %s is given no more mails than it has connections, keeps nobody waiting, and gets all of them in the end',
    async (step) => {
      let before = 0
      await startOwing(20, { pool: 2, timeout: `${timeoutMs}ms` }, () => {
        before = relay.sessions.length
        relay.fail(step, 'drip')
      })
      // That at the start, two with mails, and one to ask whether it is back.
      await eventually(() => relay.sessions.length >= before + 4)
      await eventually(
        async () => (await jobsOf(site)).filter((job) => job.last_error !== null).length >= 2,
      )
      await ask(site, alice.email, 'nobody@site.example')
      expect(relay.mostAtOnce).toBeLessThanOrEqual(2)
      await relay.heal()
      await letTimePass(site, async () => (await states())['sent'] === 21)
      expect(new Set(relay.taken.flatMap(({ recipients }) => recipients)).size).toBe(21)
    },
  )

  it('Z8 is not ready, and does not keep whoever asks waiting for the last of them', async () => {
    relay.fail('EHLO', 'drip')
    site = await Site.start({ smtp: { port: relay.port, timeout: `${timeoutMs}ms` } })
    relay.deliverTo(site.smtp)
    const answer = site.visitor().get('/ready')
    // As patient as it is with a mail: it connects, is greeted, and waits for two long answers.
    const isTooLong = sleep(2 * 8 * timeoutMs, null)
    expect((await Promise.race([answer, isTooLong]))?.status).toBe(503)
  })
})
