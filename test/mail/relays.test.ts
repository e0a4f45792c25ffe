import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { silentLog } from '../../src/log.ts'
import { Circuit } from '../../src/mail/circuit.ts'
import { type Mailer, MailFailure } from '../../src/mail/mailer.ts'
import { openMailer } from '../../src/mail-parts.ts'
import { Relay } from '../support/relay.ts'
import { eventually } from '../support/wait.ts'

const to = 'alice@site.example'
const unknown = '550 5.1.1 nobody has that name'
const stranger = '535 5.7.8 who are you?'

let main: Relay
let second: Relay
let mailer: Mailer

beforeEach(async () => {
  main = await Relay.start()
  second = await Relay.start()
  mailer = open()
})
afterEach(async () => {
  await mailer.close()
  await main.stop()
  await second.stop()
})

/** Both as the courier has them; each is asked whether it is back after a hundredth of a second. */
function open(firstWaitMs = 10): Mailer {
  const relay = ({ port }: Relay) => ({ host: '127.0.0.1', port, user: 'library', pass: 'hunter2' })
  const config = loadConfig(
    { smtp: { ...relay(main), fallback: relay(second), timeout: '300ms' } },
    { env: {} },
  )
  return openMailer(
    config,
    ({ name, mailer }) =>
      new Circuit(mailer, { server: name, firstWaitMs, signInWaitMs: firstWaitMs, log: silentLog }),
  )
}

/** Sends a mail; who took it, or how it failed. */
async function send(): Promise<string> {
  const before = main.taken.length
  try {
    await mailer.send({
      id: 'one',
      to,
      subject: 'x',
      html: '<p>x</p>',
      text: 'x\n',
      language: 'en',
    })
    return main.taken.length > before ? 'main' : 'second'
  } catch (failure) {
    if (!(failure instanceof MailFailure)) throw failure
    return `${failure.kind}${failure.isFinal ? ', for good' : ''}`
  }
}

describe('the second mail server', () => {
  it('gets nothing while the first takes mails', async () => {
    expect([await send(), await send()]).toEqual(['main', 'main'])
    expect(second.sessions).toEqual([])
  })

  it('gets the mail that the first cannot be given, and those after it, at once', async () => {
    await main.stop()
    expect([await send(), await send(), await send()]).toEqual(['second', 'second', 'second'])
  })

  it('gets no more once the first is back', async () => {
    await main.stop()
    expect(await send()).toBe('second')
    await main.listen()
    await eventually(async () => (await send()) === 'main')
    const { length } = second.taken
    expect([await send(), await send()]).toEqual(['main', 'main'])
    expect(second.taken).toHaveLength(length)
  })

  it.each([
    ['RCPT', unknown, 'refused, for good'],
    ['dot', '554 5.7.1 spam', 'refused, for good'],
    ['RCPT', '450 4.2.0 greylisted', 'later'],
  ] as const)(
    'is not tried with what the first has answered: %s “%s”',
    async (step, answer, kind) => {
      main.fail(step, answer)
      expect(await send()).toBe(kind)
      expect(second.sessions).toEqual([])
      await main.heal()
      expect(await send()).toBe('main')
    },
  )

  it.each([
    ['AUTH', stranger],
    ['AUTH', '454 4.7.0 cannot say now'],
    ['greeting', '421 4.3.2 closing'],
    ['greeting', 'silence'],
    ['DATA', 'reset'],
  ] as const)('gets what the first cannot take from anybody: %s “%s”', async (step, fault) => {
    main.fail(step, fault)
    expect(await send()).toBe('second')
  })

  it('has the last word on what it is asked', async () => {
    await main.stop()
    second.fail('RCPT', unknown)
    expect(await send()).toBe('refused, for good')
  })
})

describe('where neither can be used', () => {
  it('the mail waits, and goes by whichever is back', async () => {
    await main.stop()
    await second.stop()
    expect(await send()).toBe('unreachable')
    expect(mailer.isReady()).toBe(false)
    await expect(mailer.check()).rejects.toMatchObject({ kind: 'unreachable' })
    await second.listen()
    await eventually(() => mailer.isReady())
    await expect(mailer.check()).resolves.toBeUndefined()
    expect(await send()).toBe('second')
  })

  it('the mail ends when neither knows the site', async () => {
    main.fail('AUTH', stranger)
    second.fail('AUTH', stranger)
    expect(await send()).toBe('sign-in, for good')
    expect(mailer.isReady()).toBe(false)
  })

  it.each([
    ['first', () => [main, second] as const],
    ['second', () => [second, main] as const],
  ])('the mail waits for the %s when the other does not know the site', async (_, pick) => {
    const [away, other] = pick()
    await away.stop()
    other.fail('AUTH', stranger)
    expect(await send()).toBe('unreachable')
  })

  it('the mail waits for the first, which is away already when the second forgets the site', async () => {
    // So late that nobody asks the first again meanwhile.
    await mailer.close()
    mailer = open(60_000)
    await main.stop()
    expect(await send()).toBe('second')
    // It forgets on its next connection: on the one that is open it has been asked already.
    await second.stop()
    await second.listen()
    second.fail('AUTH', stranger)
    expect(await send()).toBe('unreachable')
  })
})
