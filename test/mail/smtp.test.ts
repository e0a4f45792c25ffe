import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Relay, Smtp } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Message } from '../../src/mail/mailer.ts'
import { SmtpMailer, transportOptions } from '../../src/mail/smtp.ts'
import { Relay as FailingRelay, type Fault, type Step } from '../support/relay.ts'
import { SmtpSink } from '../support/smtp.ts'

const message: Message = {
  id: 'one',
  to: 'alice@site.example',
  subject: 'Ünïcode ✓ \r\nBcc: evil@evil.example',
  html: '<p>x</p>',
  text: 'x\n',
  language: 'en',
}

const smtp = (over: object) => loadConfig({ smtp: { timeout: '500ms', ...over } }, { env: {} }).smtp

const only = ({ relays }: Smtp): Relay => {
  const [relay] = relays
  if (relay === undefined) throw new Error('No mail server is configured')
  return relay
}
const options = (over: object) => {
  const config = smtp(over)
  return transportOptions(config, only(config))
}

/** Sends one mail to a sink; what became of it. */
async function send(sink: SmtpSink, over: object = {}, mail: Message = message) {
  const config = smtp({ host: '127.0.0.1', port: sink.port, ...over })
  const mailer = new SmtpMailer(config, only(config))
  try {
    await mailer.send(mail)
    return 'sent'
  } catch (error) {
    return error as { isFinal: boolean; message: string; code: string }
  } finally {
    await mailer.close()
    await sink.stop()
  }
}

describe('a mail server elsewhere', () => {
  it('is spoken to under TLS or not at all, its certificate checked', () => {
    expect(options({ host: 'smtp.site.example' })).toMatchObject({
      requireTLS: true,
      tls: { rejectUnauthorized: true, minVersion: 'TLSv1.2' },
      connectionTimeout: 500,
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    expect(options({ host: 'smtp.site.example', secure: true })).toMatchObject({ secure: true })
  })

  it('on this machine may do without', () => {
    expect(options({ host: 'localhost' })).toMatchObject({
      requireTLS: false,
      tls: { rejectUnauthorized: false },
    })
  })
})

describe('TLS on the wire', () => {
  let folder = ''
  const file = (name: string) => join(folder, name)
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'forgot-tls-'))
    execFileSync(
      'openssl',
      [
        ...[
          'req',
          '-x509',
          '-newkey',
          'rsa:2048',
          '-nodes',
          '-days',
          '1',
          '-subj',
          '/CN=127.0.0.1',
        ],
        ...[
          '-addext',
          'subjectAltName=IP:127.0.0.1',
          '-keyout',
          file('key.pem'),
          '-out',
          file('cert.pem'),
        ],
      ],
      { stdio: 'ignore' },
    )
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  const certified = () => ({
    key: readFileSync(file('key.pem')),
    cert: readFileSync(file('cert.pem')),
  })

  it('takes a certificate of the site’s own authority', async () => {
    const sink = await SmtpSink.start(certified())
    expect(await send(sink, { tls: { ca: file('cert.pem'), rejectUnauthorized: true } })).toBe(
      'sent',
    )
  })

  it('sends nothing to a server whose certificate nobody vouches for', async () => {
    const sink = await SmtpSink.start(certified())
    expect(await send(sink, { tls: { rejectUnauthorized: true } })).toMatchObject({
      isFinal: false,
    })
    expect(sink.mails).toEqual([])
  })

  it('begins with TLS where the server does', async () => {
    const sink = await SmtpSink.start({ ...certified(), secure: true })
    expect(await send(sink, { secure: true, tls: { ca: file('cert.pem') } })).toBe('sent')
  })
})

describe('signing in', () => {
  const asks = (accepted: boolean) => ({
    authOptional: false,
    onAuth: (
      auth: { password?: string },
      _session: unknown,
      done: (error: Error | null, response?: { user: string }) => void,
    ) =>
      accepted && auth.password === 'hunter2'
        ? done(null, { user: 'me' })
        : done(Object.assign(new Error('5.7.8 no'), { responseCode: 535 })),
  })

  it('happens with the configured name and password', async () => {
    const sink = await SmtpSink.start(asks(true) as object)
    expect(await send(sink, { user: 'me', pass: 'hunter2' })).toBe('sent')
  })

  it('that is refused is final, and its words hold no password', async () => {
    const sink = await SmtpSink.start(asks(false) as object)
    const failure = await send(sink, { user: 'me', pass: 'hunter2' })
    expect(failure).toMatchObject({ isFinal: true, code: 'ERR_FORGOT_MAIL' })
    expect(JSON.stringify(failure)).not.toContain('hunter2')
  })
})

describe('a message', () => {
  it.each([
    'alice@site.example, evil@evil.example',
    'alice@site.example;evil@evil.example',
    'alice@site.example\r\nBcc: evil@evil.example',
    'Alice <alice@site.example>',
  ])('is sent to nobody when the stored address is %j', async (to) => {
    const sink = await SmtpSink.start()
    expect(await send(sink, {}, { ...message, to })).toMatchObject({ isFinal: true })
    expect(sink.mails).toEqual([])
  })

  it('has one recipient, whatever its subject looks like', async () => {
    const sink = await SmtpSink.start()
    expect(await send(sink)).toBe('sent')
    expect(sink.mails[0]?.recipients).toEqual(['alice@site.example'])
    expect(sink.mails[0]?.mail.subject).toBe('Ünïcode ✓  Bcc: evil@evil.example')
    expect(sink.mails[0]?.mail.headers.some((header) => header.key === 'bcc')).toBe(false)
  })

  it('that no server takes is told in words without addresses', async () => {
    const sink = await SmtpSink.start()
    await sink.stop()
    expect(await send(sink)).toMatchObject({ isFinal: false })
    const refusing = await SmtpSink.start()
    refusing.refusals.push({ code: 554, at: 'rcpt' })
    const failure = await send(refusing)
    expect(failure).toMatchObject({ isFinal: true })
    expect(JSON.stringify(failure)).not.toContain('alice')
  })

  it('does not wait for ever for a server that says nothing', async () => {
    const sink = await SmtpSink.start({ onConnect: () => {} })
    expect(await send(sink)).toMatchObject({ isFinal: false })
  })
})

describe('a failure', () => {
  const account = { user: 'library', pass: 'hunter2' }
  const secrets = /alice|hunter2|aHVudGVyMg|AGxpYnJhcnk/
  let relay: FailingRelay
  let mailer: SmtpMailer
  beforeEach(async () => {
    relay = await FailingRelay.start()
    const config = smtp({
      host: '127.0.0.1',
      port: relay.port,
      timeout: '100ms',
      pool: 1,
      ...account,
    })
    mailer = new SmtpMailer(config, only(config))
  })
  afterEach(async () => {
    await mailer.close()
    await relay.stop()
  })

  it.each<[string, Step, Fault]>([
    ['unreachable', 'greeting', '421 4.3.2 closing'],
    ['unreachable', 'greeting', '450 4.7.0 later'],
    ['unreachable', 'greeting', '554 5.3.2 no service'],
    ['unreachable', 'greeting', 'reset'],
    ['unreachable', 'greeting', 'silence'],
    ['unreachable', 'greeting', 'drip'],
    ['unreachable', 'EHLO', '421 4.3.2 closing'],
    ['unreachable', 'EHLO', '550 5.7.1 no'],
    ['unreachable', 'EHLO', 'close'],
    ['unreachable', 'AUTH', '421 4.3.2 closing'],
    ['unreachable', 'AUTH', '432 4.7.12 not now'],
    ['unreachable', 'AUTH', '454 4.7.0 cannot say now'],
    ['unreachable', 'AUTH', 'close'],
    ['sign-in', 'AUTH', '534 5.7.9 too weak'],
    ['sign-in', 'AUTH', '535 5.7.8 who are you, alice@site.example?'],
    ['sign-in', 'AUTH', '504 5.5.4 not that way'],
    ['sign-in', 'MAIL', '530 5.7.0 sign in first'],
    ['later', 'MAIL', '451 4.3.0 later'],
    ['later', 'MAIL', '503 5.5.1 bad sequence'],
    ['later', 'RCPT', '450 4.2.1 alice@site.example is busy'],
    ['later', 'RCPT', '452 4.5.3 too many'],
    ['later', 'DATA', '451 4.3.0 later'],
    ['later', 'dot', '452 4.3.1 no room'],
    ['refused', 'MAIL', '550 5.7.1 not from you'],
    ['refused', 'MAIL', '552 5.3.4 too big'],
    ['refused', 'RCPT', '550 5.1.1 alice@site.example? nobody'],
    ['refused', 'RCPT', '553 5.1.3 no address'],
    ['refused', 'DATA', '554 5.5.1 no'],
    ['refused', 'dot', '554 5.7.1 spam'],
    ['unreachable', 'MAIL', '421 4.3.2 closing'],
    ['unreachable', 'RCPT', '421 4.3.2 closing'],
    ['unreachable', 'DATA', '421 4.3.2 closing'],
    ['unreachable', 'dot', '421 4.3.2 closing'],
    ['unreachable', 'RCPT', 'reset'],
    ['unreachable', 'dot', 'close'],
  ])(
    'is %s at %s with “%s”, in words that hold no secret and no address',
    async (kind, step, fault) => {
      relay.fail(step, fault)
      const failure: unknown = await mailer.send(message).catch((error: unknown) => error)
      expect(failure).toMatchObject({ kind, code: 'ERR_FORGOT_MAIL' })
      expect(JSON.stringify(failure) + String(failure)).not.toMatch(secrets)
    },
  )

  it.each<[Step, number, number]>([
    ['greeting', 100, 300],
    ['EHLO', 300, 800],
    ['dot', 300, 800],
  ])(
    'comes from silence at %s after no less than %i ms and no more than %i',
    async (step, from, to) => {
      relay.fail(step, 'silence')
      const startedAt = performance.now()
      await expect(mailer.send(message)).rejects.toMatchObject({ kind: 'unreachable' })
      const waitedMs = performance.now() - startedAt
      // A timer may be a millisecond early.
      expect([waitedMs > from - 2, waitedMs < to]).toEqual([true, true])
    },
  )

  it('holds no password where the server repeats what it was told', async () => {
    relay.fail('AUTH', '501 5.5.2 AUTH PLAIN AGxpYnJhcnkAaHVudGVyMg==: “hunter2” is no password')
    const failure: unknown = await mailer.send(message).catch((error: unknown) => error)
    expect(failure).toMatchObject({ kind: 'sign-in' })
    expect(JSON.stringify(failure) + String(failure)).not.toMatch(secrets)
  })

  it('is none where a server knows no EHLO', async () => {
    relay.fail('EHLO', '502 5.5.1 what?', 1)
    await expect(mailer.send(message)).resolves.toBeUndefined()
    expect(relay.heard.map(({ text }) => text.slice(0, 4))).toContain('HELO')
  })

  it('of one mail leaves the connection to the next', async () => {
    relay.fail('RCPT', '550 5.1.1 nobody has that name', 1)
    await expect(mailer.send(message)).rejects.toMatchObject({ kind: 'refused' })
    await mailer.send(message)
    expect(relay.sessions).toHaveLength(1)
  })

  it('of the question whether mail can be sent is told as that of a mail', async () => {
    relay.fail('AUTH', '535 5.7.8 who are you, alice@site.example?')
    const failure: unknown = await mailer.check().catch((error: unknown) => error)
    expect(failure).toMatchObject({ kind: 'sign-in', code: 'ERR_FORGOT_MAIL' })
    expect(JSON.stringify(failure) + String(failure)).not.toMatch(secrets)
    await relay.heal()
    await expect(mailer.check()).resolves.toBeUndefined()
  })

  it.each<Step>(['EHLO', 'RCPT'])(
    'comes in the end where a server drips its answer at %s',
    async (step) => {
      relay.byteMs = 100
      relay.extensions = Array.from({ length: 100 }, (_, index) => `X-EXTENSION-${index}`)
      relay.fail(step, 'drip')
      const patience = sleep(2000, 'nothing')
      const sending = mailer.send(message).catch((error: { kind: string }) => error.kind)
      expect(await Promise.race([sending, patience])).toBe('unreachable')
    },
  )

  it('comes in the end to the question whether mail can be sent, where a server drips its answer', async () => {
    relay.byteMs = 100
    relay.extensions = Array.from({ length: 100 }, (_, index) => `X-EXTENSION-${index}`)
    relay.fail('EHLO', 'drip')
    const patience = sleep(2000, 'nothing')
    const checking = mailer.check().catch((error: { kind: string }) => error.kind)
    expect(await Promise.race([checking, patience])).toBe('unreachable')
  })
})
