import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { minutes } from '../support/clock.ts'
import { type Fault, Relay, type Step } from '../support/relay.ts'
import { accounts, type Site } from '../support/site.ts'
import { linkIn } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'
import {
  allSent,
  ask,
  attemptsOf,
  expectHealed,
  failuresOf,
  isLeftAlone,
  jobsOf,
  letTimePass,
  loggedBy,
  Relayed,
  startSiteOf,
} from './relayed.ts'
import { restart } from './support.ts'

const { alice, bob, somchai, amina } = accounts
const timeout = '100ms'

/** A port at which connections are neither taken nor refused: nobody takes them out of a full backlog. */
async function blackHole(): Promise<number> {
  const script = `const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port))`
  const listener = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const sockets: Socket[] = []
  onTestFinished(() => {
    listener.kill('SIGKILL')
    for (const socket of sockets) socket.destroy()
  })
  const [data] = await once(listener.stdout, 'data')
  const port = Number(data)
  listener.kill('SIGSTOP')
  for (let each = 0; each < 8; each += 1) {
    sockets.push(connect(port, '127.0.0.1').on('error', () => {}))
  }
  return port
}

describe('a relay that', () => {
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
  const ready = async () => (await site.visitor().get('/ready')).status
  const broken = async (fault: Fault) => {
    relay.fail('greeting', fault)
    return {}
  }

  it.each([
    ['refuses connections', () => relay.stop().then(() => ({}))],
    ['has a name that nobody has', async () => ({ host: 'relay.invalid' })],
    ['is where no route leads', async () => ({ port: await blackHole() })],
    ['resets every connection', () => broken('reset')],
    ['closes every connection', () => broken('close')],
  ])(
    'Z1 %s keeps no visitor waiting, and its mails are given up at their end alone',
    async (_, fail) => {
      site = await startSiteOf(relay, { smtp: { timeout, ...(await fail()) } })
      await ask(site, alice.email)
      await eventually(() => isLeftAlone(site))
      await ask(site, bob.email, 'nobody@site.example')
      expect(await ready()).toBe(503)
      expect((await site.visitor().get('/health')).status).toBe(200)
      expect((await jobsOf(site)).map(({ state }) => state)).toEqual(['queued', 'queued', 'queued'])
      await letTimePass(
        site,
        async () => (await jobsOf(site)).every(({ state }) => state === 'dead'),
        minutes(10),
      )
      for (const job of await jobsOf(site)) {
        expect(job).toMatchObject({ last_error: 'expired', sealed_address: null })
        expect(job.ended_at).toBeGreaterThanOrEqual(job.expires_at)
      }
      await eventually(async () => (await failuresOf(site)).length === 3)
      expect(new Set(await failuresOf(site))).toEqual(new Set(['expired']))
      await relay.heal()
      await restart(site, { smtp: { ...site.config.smtp, host: '127.0.0.1', port: relay.port } })
      expect(relay.given).toEqual([])
    },
  )

  it('Z1 comes back is given at once what has waited, in its order and with all of its tries', async () => {
    site = await startSiteOf(relay, { smtp: { timeout, pool: 1 } })
    await relay.stop()
    await ask(site, alice.email)
    await eventually(() => isLeftAlone(site))
    await ask(site, bob.email, somchai.email, amina.email)
    expect(await attemptsOf(site)).toEqual([1, 0, 0, 0])
    await relay.heal()
    // The clock stands still: only the mail that met the fault waits for its second try.
    await site.smtp.to(amina.email)
    expect(relay.taken.map(({ recipients }) => recipients)).toEqual([
      ...[[bob.email], [somchai.email], [amina.email]],
    ])
    expect(loggedBy(site, 'warn')).toContain('the mail server can be used again')
    await letTimePass(site, () => allSent(site))
    expect(await attemptsOf(site)).toEqual([2, 1, 1, 1])
    expect((await site.reset(linkIn(relay.taken[0]))).status).toBe(303)
  })

  it('Z1 is not there and then is, is what /ready says', async () => {
    await relay.stop()
    site = await startSiteOf(relay, { smtp: { timeout } })
    expect(await ready()).toBe(503)
    await relay.heal()
    // It asks at most every ten seconds.
    await letTimePass(site, async () => (await ready()) === 200)
    expect((await site.visitor().get('/health')).status).toBe(200)
  })
})

const beginnings: readonly Step[] = ['greeting', 'EHLO', 'AUTH']
const commands: readonly Step[] = ['MAIL', 'RCPT', 'DATA', 'text', 'dot']

describe('a relay that says nothing', () => {
  const relayed = new Relayed({ smtp: { timeout, pool: 2 } })

  it.each([...beginnings, ...commands])(
    'Z2 at %s, once, keeps no other mail waiting',
    async (step) => {
      const { relay, site } = relayed
      relay.fail(step, 'silence', 1)
      await ask(site, alice.email)
      await eventually(() => relay.isSilent)
      await ask(site, bob.email)
      await site.smtp.to(bob.email)
      await letTimePass(site, () => allSent(site))
      expect(await attemptsOf(site)).toEqual([2, 1])
      const ofAlice = relay.taken.filter((mail) => mail.recipients.includes(alice.email))
      // It may have taken the mail before it fell silent.
      expect(ofAlice).toHaveLength(step === 'dot' ? 2 : 1)
      expect(new Set(ofAlice.map((mail) => mail.mail.messageId)).size).toBe(1)
      expect((await site.reset(linkIn(ofAlice[0]))).status).toBe(303)
    },
  )

  it.each(beginnings)('Z2 at %s, ever, is left alone until it does', async (step) => {
    const { relay, site } = relayed
    relay.fail(step, 'silence')
    await ask(site, alice.email)
    await eventually(() => isLeftAlone(site))
    await ask(site, bob.email, somchai.email)
    expect(await attemptsOf(site)).toEqual([1, 0, 0])
    await relay.heal()
    await Promise.all([site.smtp.to(bob.email), site.smtp.to(somchai.email)])
    expect(await attemptsOf(site)).toEqual([1, 1, 1])
    await letTimePass(site, () => allSent(site))
    expect(relay.taken).toHaveLength(3)
  })

  it.each<Step>(['RCPT', 'dot'])(
    'Z2 at %s to as many mails as there are connections lets the next go after them',
    async (step) => {
      const { relay, site } = relayed
      relay.fail(step, 'silence', 2)
      await ask(site, alice.email, bob.email)
      await eventually(() => relay.sessions.filter(({ isSilent }) => isSilent).length === 2)
      await ask(site, somchai.email)
      // The clock stands still: what is given up for now stays so.
      await site.smtp.to(somchai.email)
      expect(relay.mostAtOnce).toBe(2)
      await letTimePass(site, () => allSent(site))
      expect(await attemptsOf(site)).toEqual([2, 2, 1])
    },
  )
})
