import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Relay, Smtp } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Message } from '../../src/mail/mailer.ts'
import { SmtpMailer, transportOptions } from '../../src/mail/smtp.ts'
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
