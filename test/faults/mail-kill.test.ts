import { afterEach, beforeEach, expect, it } from 'vitest'
import { Relay, type Step } from '../support/relay.ts'
import { accounts, newPassword, oldPassword, type Site } from '../support/site.ts'
import { linkIn } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'
import { expectInvariants } from './invariants.ts'
import { allSent, ask, failuresOf, jobsOf } from './relayed.ts'
import { Served } from './served.ts'

const { alice, bob, somchai, amina } = accounts
// What a process that died was sending is taken up when its lease ends.
const leaseMs = 15_000

let relay: Relay
let served: Served
let site: Site

beforeEach(async () => {
  relay = await Relay.start()
  served = await Served.prepare({ smtp: { port: relay.port, pool: 4 } })
  site = served.site
  relay.deliverTo(site.smtp)
  await run()
})
afterEach(async () => {
  await expectInvariants(site)
  await served.stop()
  await relay.stop()
})

/** @param laterMs By how much its clock is ahead, as if nobody had started it before. */
async function run(laterMs = 0): Promise<void> {
  const late = `const { now } = Date; Date.now = () => now() + ${laterMs}`
  const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(late)}`
  await served.run({ env: { NODE_OPTIONS } })
  // The question at the start whether mail can be sent has a connection of its own.
  await site.visitor().get('/ready')
}

/** All of them are mailed, and every copy has one name and one link, which works. @returns How many copies each has. */
async function expectMailed(emails: readonly string[]): Promise<number[]> {
  await eventually(() => allSent(site))
  expect(await jobsOf(site)).toHaveLength(emails.length)
  expect(await failuresOf(site)).toEqual([])
  const mails = emails.map((email) => relay.taken.filter((mail) => mail.recipients.includes(email)))
  for (const [index, email] of emails.entries()) {
    const copies = mails[index] ?? []
    expect(new Set(copies.map(({ mail }) => mail.messageId)).size).toBe(1)
    expect(new Set(copies.map(linkIn)).size).toBe(1)
    expect(site.hasPassword(email, oldPassword)).toBe(true)
    expect((await site.reset(linkIn(copies[0]))).status).toBe(303)
    expect(site.hasPassword(email, newPassword)).toBe(true)
  }
  return mails.map((copies) => copies.length)
}

it('Z9 a process that is killed when it has answered mails what it has promised, when it runs again', async () => {
  await ask(site, alice.email)
  await served.kill()
  expect(await jobsOf(site)).toHaveLength(1)
  await run(leaseMs)
  // A mail that was being handed over may come twice.
  expect((await expectMailed([alice.email]))[0]).toBeLessThanOrEqual(2)
})

it('Z10 a process that is killed with a mail at every stage mails them all, when it runs again', async () => {
  const stages: readonly (readonly [Step, string])[] = [
    ['greeting', alice.email],
    ['RCPT', bob.email],
    ['text', somchai.email],
    ['dot', amina.email],
  ]
  for (const [index, [step, email]] of stages.entries()) {
    relay.fail(step, 'silence', 1)
    await ask(site, email)
    await eventually(() => relay.sessions.filter(({ isSilent }) => isSilent).length > index)
  }
  await served.kill()
  expect(new Set((await jobsOf(site)).map(({ state }) => state))).toEqual(new Set(['sending']))
  await run(leaseMs)
  // At the dot the relay had the mail, and nobody will ever know.
  expect(await expectMailed(stages.map(([, email]) => email))).toEqual([1, 1, 1, 2])
})
