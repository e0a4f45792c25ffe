import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import type { Message } from '../../src/mail/mailer.ts'
import { openMailer } from '../../src/mail-parts.ts'
import { type Given, Relay } from '../support/relay.ts'

const message: Message = {
  id: 'one',
  to: 'alice@site.example',
  subject: `Ünïcode ✓ ${'and a long subject '.repeat(60)}\r\nBcc: evil@evil.example\n\nx`,
  html: `<p>${'<b>x</b>'.repeat(400)}</p>\r\n.\r\n<p>a\rb\nc\r\n.d</p>\r\nQUIT\r\n`,
  text: `.\n..\n.first\r\n${'word '.repeat(400)}\n${'x'.repeat(3000)}\n\r.\r\nMAIL FROM:<evil@evil.example>\n.`,
  language: 'en',
}

let relay: Relay
beforeEach(async () => {
  relay = await Relay.start()
})
afterEach(() => relay.stop())

/** Sends one mail; how it was given. */
async function send(smtp: object = {}, over: Partial<Message> = {}): Promise<Given> {
  const config = loadConfig(
    {
      smtp: {
        ...{
          host: '127.0.0.1',
          port: relay.port,
          from: { name: 'Bücherei', email: 'library@site.example' },
        },
        ...smtp,
      },
    },
    { env: {} },
  )
  const mailer = openMailer(config)
  await mailer.send({ ...message, ...over })
  await mailer.close()
  const [mail] = relay.taken
  if (mail === undefined) throw new Error('There is no mail')
  return mail
}

const said = (verb: string) =>
  relay.heard.map(({ text }) => text).filter((text) => text.startsWith(verb))
const head = ({ bytes }: Given) => bytes.toString('latin1').split('\r\n\r\n')[0] ?? ''
const headers = (mail: Given) => mail.mail.headers.map(({ key }) => key)
const headerOf = (mail: Given, name: string) =>
  mail.mail.headers.filter(({ key }) => key === name).map(({ value }) => value)

describe.each([
  ['takes commands in one go', ['PIPELINING', '8BITMIME', 'SMTPUTF8']],
  ['takes one after the other', []],
])('a mail server that %s', (_, extensions) => {
  it('is told one sender and one recipient', async () => {
    relay.extensions = extensions
    const mail = await send({ returnPath: 'bounces@site.example' })
    expect(mail.sender).toBe('MAIL FROM:<bounces@site.example>')
    expect(mail.rcptTo).toEqual(['RCPT TO:<alice@site.example>'])
    for (const verb of ['MAIL', 'RCPT', 'DATA']) expect(said(verb)).toHaveLength(1)
    expect(mail.mail.to).toMatchObject([{ address: 'alice@site.example' }])
    expect(mail.mail.from).toEqual({ name: 'Bücherei', address: 'library@site.example' })
    for (const name of ['bcc', 'cc', 'sender', 'return-path'])
      expect(headers(mail)).not.toContain(name)
  })
})

it('a mail is from the sender unless a return path is named', async () => {
  expect((await send()).sender).toBe('MAIL FROM:<library@site.example>')
})

it('a mail has each header once, those of its owner too', async () => {
  const mail = await send({
    headers: { 'X-Site': 'library', 'List-Id': '<library.site.example>' },
    replyTo: 'help@site.example',
  })
  expect(headerOf(mail, 'x-site')).toEqual(['library'])
  expect(headerOf(mail, 'list-id')).toEqual(['<library.site.example>'])
  expect(headerOf(mail, 'reply-to')).toEqual(['help@site.example'])
  expect(headerOf(mail, 'message-id')).toEqual(['<one@site.example>'])
  expect(headerOf(mail, 'auto-submitted')).toEqual(['auto-generated'])
  expect(new Set(headers(mail)).size).toBe(headers(mail).length)
})

it('a subject stays one header, whatever it looks like', async () => {
  const mail = await send()
  expect(headerOf(mail, 'subject')).toHaveLength(1)
  expect(mail.mail.subject).toContain('Bcc: evil@evil.example')
  expect(headers(mail)).not.toContain('bcc')
  expect(head(mail)).toMatch(/^[\t\r\n\x20-\x7e]*$/)
})

it('a mail has lines that every server takes, and no end of line but CR LF', async () => {
  const { wire } = await send()
  const lines = wire.toString('latin1').split('\r\n')
  expect(lines.length).toBeGreaterThan(100)
  // RFC 5321 §4.5.3.1.6: 1000 with the end of the line.
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(998)
  expect(lines.filter((line) => /[\r\n\0]/.test(line))).toEqual([])
})

it('a mail ends where it ends: a dot at the beginning of a line is doubled, and taken away again', async () => {
  const { wire, mail } = await send()
  const dotted = wire
    .toString('latin1')
    .split('\r\n')
    .filter((line) => line.startsWith('.'))
  expect(dotted.length).toBeGreaterThanOrEqual(4)
  for (const line of dotted) expect(line).toMatch(/^\.\./)
  expect(mail.text).toMatch(/^\.\n\.\.\n\.first\n/)
  expect(mail.text).toContain('MAIL FROM:<evil@evil.example>')
  expect(mail.text?.trimEnd().endsWith('\n.')).toBe(true)
  expect(mail.html).toContain('\n.\n<p>')
  // What the texts hold was never taken for a command.
  expect([said('MAIL').length, said('QUIT').length, relay.given.length]).toEqual([1, 0, 1])
})

it('this machine introduces itself by the name that is configured', async () => {
  await send({ clientName: 'forgot.site.example' })
  expect(said('EHLO')).toEqual(['EHLO forgot.site.example'])
})

it('a domain in another script is told as DNS spells it', async () => {
  const mail = await send({}, { to: 'alice@bücher.example' })
  expect(mail.rcptTo).toEqual(['RCPT TO:<alice@xn--bcher-kva.example>'])
})

it('a recipient in another script is named to a server that reads it', async () => {
  const mail = await send({}, { to: 'élodie@site.example' })
  const utf8 = (line: string | undefined) => Buffer.from(line ?? '', 'latin1').toString('utf8')
  expect(mail.sender).toBe('MAIL FROM:<library@site.example> SMTPUTF8')
  expect(mail.rcptTo.map(utf8)).toEqual(['RCPT TO:<élodie@site.example>'])
})

it('several mails go by one connection, each with its own recipient', async () => {
  const config = loadConfig(
    { smtp: { host: '127.0.0.1', port: relay.port, from: { email: 'library@site.example' } } },
    { env: {} },
  )
  const mailer = openMailer(config)
  for (const to of ['a@site.example', 'b@site.example', 'c@site.example'])
    await mailer.send({ ...message, id: to.slice(0, 1), to })
  await mailer.close()
  expect(relay.sessions).toHaveLength(1)
  expect(relay.taken.map(({ recipients }) => recipients)).toEqual([
    ...[['a@site.example'], ['b@site.example'], ['c@site.example']],
  ])
})
