import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import type { Mailer } from '../../src/mail/mailer.ts'
import { openMailer } from '../../src/mail-parts.ts'
import { type PublicKeys, verifyDkim } from '../support/dkim.ts'
import { Relay } from '../support/relay.ts'

const from = { name: 'Bücherei', email: 'library@site.example' }
const names = ['mail2026._domainkey.site.example', 'mail2027._domainkey.other.example'] as const

let folder = ''
let relay: Relay
let published: Map<string, KeyObject>
let mail: Buffer
const file = (name: string) => join(folder, name)
const keys: PublicKeys = (name) => published.get(name) ?? null

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-dkim-'))
  const publicKeys = ['first.pem', 'second.pem'].map((name) => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
    writeFileSync(file(name), pem)
    return createPublicKey(createPrivateKey(pem))
  })
  published = new Map(publicKeys.map((key, index) => [names[index] ?? '', key]))
  relay = await Relay.start()
  mail = await sendTo(relay)
})
afterAll(async () => {
  await relay.stop()
  rmSync(folder, { recursive: true })
})

const dkim = [
  { selector: 'mail2026', key: 'first.pem' },
  { selector: 'mail2027', key: 'second.pem', domain: 'other.example' },
]

function open(smtp: object): Mailer {
  const signed = dkim.map((key) => ({ ...key, key: file(key.key) }))
  return openMailer(loadConfig({ smtp: { from, dkim: signed, ...smtp } }, { env: {} }))
}

/** Sends a mail with all that is hard to sign, and gives it back as it arrived. */
async function sendTo({ port, taken }: Relay): Promise<Buffer> {
  const mailer = open({
    ...{ host: '127.0.0.1', port, replyTo: 'help@site.example' },
    headers: { 'X-Site': 'library' },
  })
  await mailer.send({
    id: 'one',
    to: 'alice@site.example',
    subject: `สวัสดี  ✓ ${'a very long subject '.repeat(10)}`,
    html: `<p>${'x'.repeat(3000)} ü</p>\n`,
    text: '.\n..\n  blanks  within \t and at the end \t \nfrom here\n\n\n\n',
    language: 'en',
  })
  await mailer.close()
  const last = taken.at(-1)
  if (last === undefined) throw new Error('There is no mail')
  return last.bytes
}

const faults = (source: Buffer) => verifyDkim(source, keys).map(({ fault }) => fault)

/** The mail with one byte changed to another letter. */
function changed(at: number): Buffer {
  const copy = Buffer.from(mail)
  copy[at] = copy[at] === 0x78 ? 0x79 : 0x78
  return copy
}

describe('a mail', () => {
  it('is signed once with each key, for the domain of its sender unless another is named', () => {
    expect(verifyDkim(mail, keys)).toMatchObject([
      { selector: 'mail2026', domain: 'site.example', fault: null },
      { selector: 'mail2027', domain: 'other.example', fault: null },
    ])
  })

  it('is signed with all that a reader sees of its head', () => {
    for (const { headers } of verifyDkim(mail, keys)) {
      expect(headers).toEqual(
        expect.arrayContaining([
          ...['from', 'reply-to', 'to', 'subject', 'date', 'message-id'],
          ...['mime-version', 'content-type'],
        ]),
      )
    }
  })

  it('is signed as a whole: no letter of its body can be another', () => {
    const start = mail.indexOf('\r\n\r\n') + 4
    const places = Array.from({ length: mail.length - start }, (_, index) => start + index)
    const letters = places.filter((at) => (mail[at] ?? 0) > 0x20)
    // Every seventh, and the first and the last: each takes a while.
    const some = letters.filter((_, index) => index % 7 === 0 || index === letters.length - 1)
    expect(some.length).toBeGreaterThan(400)
    for (const at of some)
      expect(faults(changed(at))).toEqual(['the body has changed', 'the body has changed'])
  })

  it('is signed as a whole: no line can be added to its body', () => {
    const longer = Buffer.concat([mail, Buffer.from('x\r\n')])
    expect(faults(longer)).toEqual(['the body has changed', 'the body has changed'])
  })

  it('is signed as a whole: no signed header can say anything else', () => {
    const [{ headers } = { headers: [] }] = verifyDkim(mail, keys)
    for (const name of headers) {
      const at = new RegExp(`^${name}:\\s*`, 'im').exec(mail.toString('latin1'))
      const first = (at?.index ?? 0) + (at?.[0].length ?? 0)
      expect([name, faults(changed(first))]).toEqual([
        ...[name, ['the headers have changed', 'the headers have changed']],
      ])
    }
  })

  it('that is passed on with other blanks and folds keeps its signatures', () => {
    const text = mail.toString('latin1').replace(/^(Subject|From):/gim, '$1 :\r\n\t')
    const padded = `${text.replace(/^(--\S+|Content-\S+.*)\r$/gm, '$1 \t\r')}\r\n\r\n`
    expect(padded.length).toBeGreaterThan(mail.length + 8)
    expect(faults(Buffer.from(padded, 'latin1'))).toEqual([null, null])
  })

  it('has no signature where no key is configured', async () => {
    const mailer = openMailer(
      loadConfig({ smtp: { host: '127.0.0.1', port: relay.port, from } }, { env: {} }),
    )
    await mailer.send({
      id: 'two',
      to: 'a@site.example',
      subject: 'x',
      html: 'x',
      text: 'x',
      language: 'en',
    })
    await mailer.close()
    expect(verifyDkim(relay.taken.at(-1)?.bytes ?? Buffer.alloc(0), keys)).toEqual([])
  })

  it('is signed where a program of this machine takes it', async () => {
    writeFileSync(file('sendmail'), `#!/bin/sh\ncat > ${file('mail')}\n`, { mode: 0o755 })
    const mailer = open({ sendmail: file('sendmail') })
    await mailer.send({
      id: 'three',
      to: 'a@site.example',
      subject: 'ü',
      html: 'x',
      text: '.\nx',
      language: 'en',
    })
    // As it is on the network, with the line ends that the program gives it.
    const source = readFileSync(file('mail'), 'latin1').replaceAll('\n', '\r\n')
    expect(faults(Buffer.from(source, 'latin1'))).toEqual([null, null])
  })
})

describe('the key of another', () => {
  it('does not verify the mail', () => {
    const [one, other] = names.map((name) => published.get(name) ?? null)
    const swapped: PublicKeys = (name) => (name === names[0] ? (other ?? null) : (one ?? null))
    const found = verifyDkim(mail, swapped).map(({ fault }) => fault)
    expect(found).toEqual(['the headers have changed', 'the headers have changed'])
  })
})
