import { describe, expect, it } from 'vitest'
import type { ResetRow } from '../../src/store/schema.ts'
import { minutes } from '../support/clock.ts'
import type { Fault, Given, Step } from '../support/relay.ts'
import { accounts } from '../support/site.ts'
import { linkIn } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'
import {
  allSent,
  ask,
  attemptsOf,
  failuresOf,
  isLeftAlone,
  jobsOf,
  letTimePass,
  loggedBy,
  Relayed,
} from './relayed.ts'

const { alice, bob, somchai } = accounts

const relayed = new Relayed({ smtp: { pool: 1 } })

/** Every copy that one address was given has one name and one link. */
function copiesTo(email: string): Given[] {
  const copies = relayed.relay.given.filter((mail) => mail.recipients.includes(email))
  expect(new Set(copies.map(({ mail }) => mail.messageId)).size).toBe(1)
  expect(new Set(copies.map(linkIn)).size).toBe(1)
  return copies
}

/** Whether the first mail was tried so often, and waits for its next try. */
async function isTried(times: number): Promise<boolean> {
  const [job] = await jobsOf(relayed.site)
  return job?.attempts === times && job.state === 'queued'
}

describe('a relay that sends a recipient away the first time', () => {
  it('Z3 gets the mail the second time, as it was and with the end that it had', async () => {
    const { relay, site } = relayed
    relay.isGreylisting = true
    await ask(site, alice.email)
    const resets = () => site.rows<ResetRow>('select * from password_reset')
    const [{ expires_at, token_hash } = { expires_at: 0, token_hash: '' }] = await resets()
    await letTimePass(site, () => allSent(site))
    expect(await attemptsOf(site)).toEqual([2])
    expect(await resets()).toMatchObject([{ expires_at, token_hash }])
    const [job] = await jobsOf(site)
    const [mail, ...others] = copiesTo(alice.email)
    expect([mail?.mail.messageId, others]).toEqual([`<${job?.id}@site.example>`, []])
    expect((await site.reset(linkIn(mail))).status).toBe(303)
  })

  it('Z3 and takes those it knows keeps none of them waiting', async () => {
    const { relay, site } = relayed
    relay.fail('RCPT', '450 4.2.0 greylisted', 1)
    await ask(site, alice.email)
    await eventually(async () => (await jobsOf(site))[0]?.last_error)
    await ask(site, bob.email, somchai.email)
    await site.smtp.to(somchai.email)
    expect(isLeftAlone(site)).toBe(false)
    await letTimePass(site, () => allSent(site))
    expect(await attemptsOf(site)).toEqual([2, 1, 1])
  })

  it.each([
    ['is given the mail in the last second of its link', -1000, 'sent', 1],
    ['is not given the mail when its link has ended', 0, 'dead', 0],
  ])('Z3 and long after that %s', async (_, untilEndMs, state, copies) => {
    const { relay, site } = relayed
    relay.fail('RCPT', '450 4.2.0 greylisted')
    await ask(site, alice.email)
    await letTimePass(site, () => isTried(3))
    const [{ expires_at } = { expires_at: 0 }] = await jobsOf(site)
    site.clock.move(expires_at + untilEndMs - site.clock.now())
    await relay.heal()
    await letTimePass(site, async () => (await jobsOf(site))[0]?.ended_at, 1)
    expect(await jobsOf(site)).toMatchObject([{ state, sealed_address: null }])
    expect(relay.given).toHaveLength(copies)
  })
})

describe('a relay that answers', () => {
  it.each<[Step, Fault]>([
    ['greeting', '421 4.3.2 closing'],
    ['greeting', '554 5.3.2 no service'],
    ['EHLO', '421 4.3.2 closing'],
    ['AUTH', '421 4.3.2 closing'],
    ['AUTH', '454 4.7.0 cannot say now'],
    ['MAIL', '421 4.3.2 closing'],
    ['RCPT', '421 4.3.2 closing'],
    ['DATA', '421 4.3.2 closing'],
    ['dot', '421 4.3.2 closing'],
  ])('Z4 at %s “%s” is left alone, and its mails keep their tries', async (step, answer) => {
    const { relay, site } = relayed
    relay.fail(step, answer)
    await ask(site, alice.email)
    await eventually(() => isLeftAlone(site))
    await relay.heal()
    await ask(site, bob.email)
    await site.smtp.to(bob.email)
    await letTimePass(site, () => allSent(site))
    expect((await attemptsOf(site)).at(-1)).toBe(1)
    expect((await site.reset(linkIn(copiesTo(alice.email).at(-1)))).status).toBe(303)
  })

  it.each<[Step, Fault]>([
    ['MAIL', '452 4.3.1 no room'],
    ['RCPT', '451 4.3.0 later'],
    ['RCPT', '452 4.2.2 full'],
    ['DATA', '451 4.3.0 later'],
    ['dot', '450 4.2.0 later'],
    ['dot', '452 4.3.1 no room'],
  ])('Z4 at %s “%s” is given that mail again, and the others at once', async (step, answer) => {
    const { relay, site } = relayed
    relay.fail(step, answer, 2)
    await ask(site, alice.email)
    const waiting = await eventually(async () =>
      (await jobsOf(site)).find((job) => job.last_error !== null),
    )
    expect(waiting).toMatchObject({ state: 'queued', attempts: 1 })
    expect(waiting.last_error).toContain(answer.slice(0, 3))
    const waitMs = waiting.due_at - site.clock.now()
    // `mail.retries`, and up to a quarter more.
    expect([waitMs >= 50, waitMs <= 63]).toEqual([true, true])
    await letTimePass(site, () => isTried(2))
    await ask(site, bob.email)
    await site.smtp.to(bob.email)
    await letTimePass(site, () => allSent(site))
    expect(await attemptsOf(site)).toEqual([3, 1])
    expect(isLeftAlone(site)).toBe(false)
    const copies = copiesTo(alice.email)
    expect(copies).toHaveLength(step === 'dot' ? 3 : 1)
    expect((await site.reset(linkIn(copies[0]))).status).toBe(303)
  })

  it.each<[Step, Fault]>([
    ['MAIL', '550 5.7.1 not from you'],
    ['RCPT', '550 5.1.1 alice@site.example: nobody has that name'],
    ['DATA', '554 5.5.1 no'],
    ['dot', '552 5.3.4 too big'],
    ['dot', '554 5.7.1 spam'],
  ])('Z5 at %s “%s” is not given that mail again, and the others at once', async (step, answer) => {
    const { relay, site } = relayed
    relay.fail(step, answer, 1)
    await ask(site, alice.email, bob.email, 'nobody@site.example')
    await site.smtp.to(bob.email)
    await eventually(async () => (await failuresOf(site)).length > 0)
    const [job] = await jobsOf(site)
    expect(job).toMatchObject({ state: 'dead', attempts: 1 })
    expect(job?.last_error).toContain(answer.slice(0, 3))
    expect(job?.last_error).not.toContain('@')
    expect(await failuresOf(site)).toEqual(['refused'])
    expect(loggedBy(site, 'error')).toEqual(['mail given up'])
    site.clock.move(minutes(30))
    await ask(site, somchai.email)
    await site.smtp.to(somchai.email)
    expect(relay.taken.map(({ recipients }) => recipients)).toEqual([[bob.email], [somchai.email]])
  })
})
