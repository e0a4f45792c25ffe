import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { ConfigInput } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { StoreLimiter } from '../../src/limit/limiter.ts'
import { Pace, paceLimits } from '../../src/mail/pace.ts'
import { Opened } from '../../src/opened.ts'
import { openStore } from '../../src/parts.ts'
import { ask, jobsOf, letTimePass, startSiteOf } from '../faults/relayed.ts'
import { Relay } from '../support/relay.ts'
import { accounts, type Site, secret } from '../support/site.ts'
import { eventually } from '../support/wait.ts'

type SmtpInput = NonNullable<ConfigInput['smtp']>

describe('the pace', () => {
  let folder = ''
  let opened: Opened

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'forgot-pace-'))
    opened = new Opened()
  })
  afterEach(async () => {
    await opened.close()
    rmSync(folder, { recursive: true })
  })

  /** What one process keeps to. */
  async function open(smtp: SmtpInput): Promise<Pace> {
    const store = { url: `sqlite:${join(folder, 'store.db')}` } as const
    const config = loadConfig({ secret, store, smtp }, { env: {} })
    const { store: counting } = await openStore(config, opened)
    const limits = paceLimits(config.smtp)
    if (limits === null) throw new Error('There is no limit')
    return new Pace(new StoreLimiter(counting.counters, systemClock, limits), config.smtp)
  }

  /** Which of these addresses may be mailed to at once, in this order. */
  async function granted(pace: Pace, addresses: readonly string[]): Promise<string[]> {
    const free: string[] = []
    for (const address of addresses) if ((await pace.wait(address)) === 0) free.push(address)
    return free
  }

  it('is none where there are no limits', () => {
    expect(paceLimits(loadConfig({}, { env: {} }).smtp)).toBeNull()
    const smtp = { domainLimits: { 'site.example': 'off' } } as const
    expect(paceLimits(loadConfig({ smtp }, { env: {} }).smtp)).toBeNull()
  })

  it('lets so many mails through, and then says how long to wait', async () => {
    const pace = await open({ limit: '2/1m' })
    const addresses = ['a@one.example', 'b@two.example', 'c@three.example']
    expect(await granted(pace, addresses)).toEqual(addresses.slice(0, 2))
    const waitMs = await pace.wait('d@four.example')
    expect([waitMs > 50_000, waitMs <= 60_000]).toEqual([true, true])
  })

  it('lets the next through when its time has come, however often that was asked for', async () => {
    const pace = await open({ limit: '1/300ms' })
    expect(await pace.wait('a@site.example')).toBe(0)
    await eventually(async () => (await pace.wait('b@site.example')) === 0, 1000)
  })

  it('counts a domain by its own limit, in any spelling, and every other one for itself by that of *', async () => {
    const pace = await open({
      domainLimits: { 'outlook.example': '1/1m', 'xn--bcher-kva.example': '1/1m', '*': '2/1m' },
    })
    const sent = [
      ...['a@outlook.example', 'b@OUTLOOK.example'],
      ...['a@bücher.example', 'b@BÜCHER.example'],
      ...['a@one.example', 'b@one.example', 'c@one.example', 'a@two.example'],
    ]
    expect(await granted(pace, sent)).toEqual([
      ...['a@outlook.example', 'a@bücher.example'],
      ...['a@one.example', 'b@one.example', 'a@two.example'],
    ])
  })

  it('does not limit the other domains where there is no *', async () => {
    const pace = await open({ domainLimits: { 'outlook.example': '1/1m' } })
    const sent = ['a@one.example', 'b@one.example', 'c@one.example']
    expect(await granted(pace, sent)).toEqual(sent)
  })

  it('counts no mail that has to wait for its domain', async () => {
    const pace = await open({ limit: '2/1m', domainLimits: { 'outlook.example': '1/1m' } })
    const sent = ['a@outlook.example', 'b@outlook.example', 'c@outlook.example', 'a@one.example']
    expect(await granted(pace, sent)).toEqual(['a@outlook.example', 'a@one.example'])
  })

  it('is one for all processes that share the store', async () => {
    const paces = [await open({ limit: '2/1m' }), await open({ limit: '2/1m' })]
    const waits = [0, 1, 0, 1].map((index) => paces[index]?.wait('a@site.example'))
    expect((await Promise.all(waits)).filter((waitMs) => waitMs === 0)).toHaveLength(2)
  })
})

describe('a mail beyond a limit', () => {
  let relay: Relay
  let site: Site
  afterEach(async () => {
    await relay.stop()
    await site.stop()
  })

  it('waits its turn, loses no try by it, and keeps nobody else waiting', async () => {
    relay = await Relay.start()
    const domainLimits = { 'slow.example': '1/500ms' } as const
    site = await startSiteOf(relay, { smtp: { domainLimits, pool: 1 } })
    const { alice, bob } = accounts
    const move = site.database.prepare('update members set mail = ? where mail = ?')
    const slow = ['one@slow.example', 'two@slow.example']
    for (const [index, { email }] of [accounts.somchai, accounts.amina].entries())
      move.run(slow[index], email)
    await ask(site, ...slow, alice.email, bob.email)
    await site.smtp.to(bob.email)
    expect(relay.taken.map((mail) => mail.recipients[0])).toEqual([slow[0], alice.email, bob.email])
    const waiting = (await jobsOf(site))[1]
    expect(waiting).toMatchObject({ state: 'queued', attempts: 0, last_error: null })
    expect(waiting?.due_at).toBeGreaterThan(site.clock.now())
    await letTimePass(site, () => relay.taken.length === 4)
    expect((await jobsOf(site))[1]).toMatchObject({ attempts: 1 })
  })
})
