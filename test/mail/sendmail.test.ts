import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import PostalMime from 'postal-mime'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { MailFailure, type Message } from '../../src/mail/mailer.ts'
import { Sendmail } from '../../src/mail/sendmail.ts'
import { eventually } from '../support/wait.ts'

const message: Message = {
  id: 'one',
  to: 'alice@site.example',
  subject: 'Ünïcode ✓',
  html: '<p>x</p>',
  text: 'first\n.\n..\n.last\n',
  language: 'en',
}

let folder = ''
const file = (name: string) => join(folder, name)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-sendmail-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A program that keeps its arguments and what it reads, and then does what a line of shell says. */
function program(end: string): Sendmail {
  const keeping = `printf '%s\\n' "$@" > ${file('arguments')}\ncat > ${file('mail')}`
  writeFileSync(file('sendmail'), `#!/bin/sh\n${keeping}\n${end}\n`, { mode: 0o755 })
  const smtp = {
    sendmail: file('sendmail'),
    from: { name: 'Library', email: 'library@site.example' },
    returnPath: 'bounces@site.example',
    timeout: '100ms' as const,
  }
  return new Sendmail(loadConfig({ smtp }, { env: {} }).smtp, file('sendmail'))
}

async function failureOf(work: Promise<void>): Promise<MailFailure> {
  const failure = await work.then(
    () => null,
    (error: unknown) => error,
  )
  if (!(failure instanceof MailFailure)) throw new Error('It has not failed as mails do')
  return failure
}

describe('a program that takes mails', () => {
  it('is told the sender and the one recipient, neither of which can be an option', async () => {
    await program('exit 0').send({ ...message, to: '-oQ@site.example' })
    expect(readFileSync(file('arguments'), 'utf8').split('\n')).toEqual([
      ...['-i', '-f', 'bounces@site.example', '--', '-oQ@site.example', ''],
    ])
  })

  it('is given the mail with the line ends of this machine, and its dots as they are', async () => {
    await program('exit 0').send(message)
    const source = readFileSync(file('mail'), 'latin1')
    expect(source).not.toContain('\r')
    expect(source).toMatch(/\n\n[\s\S]*\nfirst\n\.\n\.\.\n\.last\n/)
    const mail = await PostalMime.parse(source.replaceAll('\n', '\r\n'))
    expect(mail).toMatchObject({
      subject: 'Ünïcode ✓',
      messageId: '<one@site.example>',
      from: { name: 'Library', address: 'library@site.example' },
      to: [{ address: 'alice@site.example' }],
    })
    expect(mail.headers.map(({ key }) => key)).not.toContain('bcc')
  })

  it.each([
    [64, 'refused'],
    [65, 'refused'],
    [67, 'refused'],
    [68, 'refused'],
    [75, 'later'],
    [1, 'unreachable'],
    [71, 'unreachable'],
    [127, 'unreachable'],
  ])('is understood when it ends with %i: %s', async (code, kind) => {
    const failure = await failureOf(program(`exit ${code}`).send(message))
    expect(failure).toMatchObject({ kind, message: `${file('sendmail')} has ended with ${code}` })
    expect(JSON.stringify(failure)).not.toContain('alice')
  })

  it('is understood when it ends without having read the mail', async () => {
    const sendmail = program('')
    writeFileSync(file('sendmail'), '#!/bin/sh\nexec 0<&-\nexit 75\n', { mode: 0o755 })
    const long = { ...message, text: 'a line\n'.repeat(100_000) }
    expect(await failureOf(sendmail.send(long))).toMatchObject({ kind: 'later' })
  })

  it('is understood when it is killed', async () => {
    const failure = await failureOf(program('kill -TERM $$').send(message))
    expect(failure).toMatchObject({ kind: 'unreachable' })
    expect(failure.message).toContain('SIGTERM')
  })

  it('is killed when it hangs, after three times the timeout', async () => {
    const startedAt = performance.now()
    const sending = program(`echo $$ > ${file('id')}\nexec sleep 60`).send(message)
    expect(await failureOf(sending)).toMatchObject({ kind: 'unreachable' })
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(300)
    const id = Number(readFileSync(file('id'), 'utf8'))
    await eventually(() => !existsSync(`/proc/${id}`))
  })
})

describe('a program', () => {
  it('that can be run can be used', async () => {
    await expect(program('exit 0').check()).resolves.toBeUndefined()
  })

  it.each([
    ['is not there', () => rmSync(file('sendmail'))],
    ['may not be run', () => chmodSync(file('sendmail'), 0o644)],
  ])('that %s is waited for', async (_, spoil) => {
    const sendmail = program('exit 0')
    spoil()
    expect(await failureOf(sendmail.send(message))).toMatchObject({ kind: 'unreachable' })
    expect(await failureOf(sendmail.check())).toMatchObject({ kind: 'unreachable' })
  })
})
