import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Circuit } from '../../src/mail/circuit.ts'
import { type FailureKind, type Mailer, MailFailure, type Message } from '../../src/mail/mailer.ts'

const message: Message = {
  id: 'one',
  to: 'alice@site.example',
  subject: 'x',
  html: '<p>x</p>',
  text: 'x\n',
  language: 'en',
}

/** A mail server that fails as it is told to, and is asked whether it is back. */
class Server implements Mailer {
  failure: FailureKind | null = null
  /** When it was asked, in milliseconds since the test began. */
  readonly askedAt: number[] = []
  readonly #startedAt = Date.now()

  isReady(): boolean {
    return true
  }

  async send(): Promise<void> {
    if (this.failure !== null) throw new MailFailure(this.failure, `It is ${this.failure}`)
  }

  async check(): Promise<void> {
    this.askedAt.push(Date.now() - this.#startedAt)
    await this.send()
  }

  async close(): Promise<void> {}
}

let server: Server
let circuit: Circuit
let logged: string[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  vi.spyOn(Math, 'random').mockReturnValue(0)
  logged = []
  const note = (level: string) => (_: object, text: string) => logged.push(`${level}: ${text}`)
  const log = { info: note('info'), warn: note('warn'), error: note('error') }
  server = new Server()
  circuit = new Circuit(server, {
    server: 'relay:587',
    firstWaitMs: 1000,
    signInWaitMs: 300_000,
    log,
  })
})
afterEach(async () => {
  await circuit.close()
  vi.restoreAllMocks()
  vi.useRealTimers()
})

async function fail(kind: FailureKind): Promise<void> {
  server.failure = kind
  await expect(circuit.send(message)).rejects.toMatchObject({ kind })
}

describe('a mail server', () => {
  it.each(['unreachable', 'sign-in'] as const)('that is %s is left alone', async (kind) => {
    await fail(kind)
    expect(circuit.isReady()).toBe(false)
  })

  it.each(['later', 'refused'] as const)(
    'that answers “%s” to a mail is given the next',
    async (kind) => {
      await fail(kind)
      expect(circuit.isReady()).toBe(true)
      await vi.advanceTimersByTimeAsync(60_000)
      expect([server.askedAt, logged]).toEqual([[], []])
    },
  )

  it('is asked whether it is back after the first wait, then twice as late each time, up to half a minute', async () => {
    await fail('unreachable')
    await vi.advanceTimersByTimeAsync(121_000)
    expect(server.askedAt).toEqual([1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000, 121_000])
  })

  it('is asked up to a quarter later at random, so that processes do not come at once', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1)
    await fail('unreachable')
    await vi.advanceTimersByTimeAsync(4000)
    expect(server.askedAt).toEqual([1250, 3750])
  })

  it('is asked one question at a time', async () => {
    await fail('unreachable')
    const check = vi.spyOn(server, 'check').mockReturnValue(new Promise(() => {}))
    await vi.advanceTimersByTimeAsync(600_000)
    expect(check).toHaveBeenCalledTimes(1)
  })

  it('that is back is given mails again, and asked no more', async () => {
    await fail('unreachable')
    await vi.advanceTimersByTimeAsync(2000)
    server.failure = null
    await vi.advanceTimersByTimeAsync(1000)
    expect(circuit.isReady()).toBe(true)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(server.askedAt).toEqual([1000, 3000])
    await expect(circuit.send(message)).resolves.toBeUndefined()
  })

  it('is back when it takes a mail that was on its way', async () => {
    await fail('unreachable')
    server.failure = null
    await circuit.send(message)
    expect(circuit.isReady()).toBe(true)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(server.askedAt).toEqual([])
  })

  it('that goes away again is asked as early as the first time', async () => {
    await fail('unreachable')
    await vi.advanceTimersByTimeAsync(31_000)
    server.failure = null
    await circuit.send(message)
    await fail('unreachable')
    await vi.advanceTimersByTimeAsync(3000)
    expect(server.askedAt.slice(5)).toEqual([32_000, 34_000])
  })

  it('is asked nothing and complained of no more after the end', async () => {
    await fail('unreachable')
    await circuit.close()
    logged = []
    // A mail that was on its way is broken off by the end itself.
    await fail('unreachable')
    await vi.advanceTimersByTimeAsync(60_000)
    expect([server.askedAt, logged]).toEqual([[], []])
  })

  it('that was well at the end is asked nothing when the end breaks a mail off', async () => {
    await circuit.close()
    await fail('unreachable')
    await vi.advanceTimersByTimeAsync(60_000)
    expect([server.askedAt, logged]).toEqual([[], []])
  })
})

describe('the owner', () => {
  it('is told once when it goes, and once when it is back, however many mails met it', async () => {
    await Promise.all([fail('unreachable'), fail('unreachable'), fail('unreachable')])
    await vi.advanceTimersByTimeAsync(100_000)
    expect(logged).toEqual(['error: the mail server cannot be used'])
    server.failure = null
    await vi.advanceTimersByTimeAsync(30_000)
    expect(logged.slice(1)).toEqual(['warn: the mail server can be used again'])
  })

  it('that refuses the sign-in is asked again minutes later, and no sooner', async () => {
    await fail('sign-in')
    await vi.advanceTimersByTimeAsync(299_000)
    expect(server.askedAt).toEqual([])
    await vi.advanceTimersByTimeAsync(80_000)
    expect(server.askedAt).toHaveLength(1)
  })

  it('is told what to look at when it refuses the sign-in', async () => {
    await fail('sign-in')
    expect(logged).toEqual([
      'error: the mail server cannot be used: it does not accept smtp.user and smtp.pass',
    ])
  })
})
