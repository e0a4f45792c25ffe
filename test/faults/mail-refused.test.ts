import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { Opened } from '../../src/opened.ts'
import { openStore } from '../../src/parts.ts'
import type { Store } from '../../src/store/store.ts'
import { accounts } from '../support/site.ts'
import { linkIn } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'
import { ask, attemptsOf, failuresOf, jobsOf, loggedBy, Relayed } from './relayed.ts'

const { alice, bob, somchai } = accounts

const relayed = new Relayed({ smtp: { pool: 1 } })
const opened = new Opened()
afterEach(() => opened.close())

async function openOwnersStore(): Promise<Store> {
  const { store } = await openStore(loadConfig(relayed.site.config, { env: {} }), opened)
  return store
}

describe('a mail that was given up', () => {
  beforeEach(async () => {
    const { relay, site } = relayed
    relay.fail('RCPT', '550 5.1.1 nobody has that name', 1)
    await ask(site, alice.email)
    await eventually(async () => (await jobsOf(site))[0]?.state === 'dead')
  })

  it('Z5 keeps its address, so that its owner can have it sent', async () => {
    const { relay, site } = relayed
    const [job] = await jobsOf(site)
    expect(job?.sealed_address).not.toBeNull()
    expect(job?.sealed_address).not.toContain('alice')
    const { queue } = await openOwnersStore()
    expect(await queue.retry(job?.id ?? '', site.clock.now())).toBe(true)
    await site.smtp.to(alice.email)
    await eventually(async () => (await jobsOf(site))[0]?.state === 'sent')
    expect(await jobsOf(site)).toMatchObject([{ attempts: 1, sealed_address: null }])
    expect((await site.reset(linkIn(relay.taken[0]))).status).toBe(303)
  })

  it('Z5 keeps its address until its link expires', async () => {
    const { site } = relayed
    const store = await openOwnersStore()
    const prune = () => store.prune(site.clock.now(), 0, 100)
    const [{ expires_at } = { expires_at: 0 }] = await jobsOf(site)
    site.clock.move(expires_at - 1 - site.clock.now())
    await prune()
    expect((await jobsOf(site))[0]?.sealed_address).not.toBeNull()
    site.clock.move(1)
    const [job] = await jobsOf(site)
    expect(await store.queue.retry(job?.id ?? '', site.clock.now())).toBe(false)
    await prune()
    expect(await jobsOf(site)).toMatchObject([{ state: 'dead', sealed_address: null }])
  })
})

describe('a relay that does not know the site', () => {
  const alarm = 'the mail server cannot be used: it does not accept smtp.user and smtp.pass'

  it('Z5 (535) ends the mail that finds this out, and tells the owner; the others wait', async () => {
    const { relay, site } = relayed
    relay.fail('AUTH', '535 5.7.8 who are you?')
    await ask(site, alice.email)
    await eventually(async () => (await failuresOf(site)).length > 0)
    expect(await failuresOf(site)).toEqual(['sign-in'])
    expect(await jobsOf(site)).toMatchObject([{ state: 'dead', attempts: 1 }])
    expect(loggedBy(site, 'error').sort()).toEqual(['mail given up', alarm])
    await ask(site, bob.email, somchai.email, 'nobody@site.example')
    expect(await attemptsOf(site)).toEqual([1, 0, 0, 0])
    await relay.heal()
    await site.smtp.to(bob.email)
    await site.smtp.to(somchai.email)
    await eventually(async () => (await jobsOf(site)).every(({ ended_at }) => ended_at !== null))
    expect((await jobsOf(site)).map(({ state }) => state)).toEqual([
      'dead',
      'sent',
      'sent',
      'dropped',
    ])
    expect(await failuresOf(site)).toEqual(['sign-in'])
    const { queue } = await openOwnersStore()
    expect(await queue.retry((await jobsOf(site))[0]?.id ?? '', site.clock.now())).toBe(true)
    expect((await site.reset(linkIn((await site.smtp.to(alice.email))[0]))).status).toBe(303)
  })

  it('Z5 (530) is told to the owner as the same', async () => {
    const { relay, site } = relayed
    relay.fail('MAIL', '530 5.7.0 sign in first', 1)
    await ask(site, alice.email)
    await eventually(async () => (await failuresOf(site)).length > 0)
    expect(await failuresOf(site)).toEqual(['sign-in'])
    expect(loggedBy(site, 'error')).toContain(alarm)
  })
})
