import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { run } from '../../src/cli/run.ts'
import { accounts, route, Site } from '../support/site.ts'
import { SmtpSink } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'

const { alice, bob } = accounts

let site: Site
let output = ''
let errors = ''

beforeEach(async () => {
  site = await Site.start()
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    errors += String(text)
    return true
  })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await site.stop()
})

/** What `forgot-password mail …` prints, and its exit code. */
async function mail(action: string, ...args: string[]) {
  const file = join(site.folder, 'config.yaml')
  writeFileSync(file, stringify(site.config))
  output = ''
  errors = ''
  const code = (await run(['mail', action, '--config', file, ...args])) ?? 0
  return { code, output, errors }
}

async function refusedFor(email: string): Promise<void> {
  site.smtp.refusals.push({ code: 550, at: 'rcpt' })
  await site.visitor().post(route, { email })
  await eventually(
    async () => (await site.rows("select 1 from mail_job where state = 'dead'")).length > 0,
  )
}

describe('mail list', () => {
  it('says so when nothing is owed', async () => {
    await site.mailedLink(alice.email)
    await eventually(
      async () => (await site.rows("select 1 from mail_job where state = 'sent'")).length > 0,
    )
    expect(await mail('list')).toMatchObject({ code: 0, output: 'There is none.\n' })
  })

  it('shows what was given up, why, and no address', async () => {
    await refusedFor(alice.email)
    const { output } = await mail('list')
    expect(output).toMatch(/^reference {2}kind {6}state {2}tries/)
    expect(output).toMatch(/^[2-9A-Z]{4}-[2-9A-Z]{4} {2}recovery {2}dead {3}1 .* 550 /m)
    expect(output).not.toContain(alice.email)
  })

  it('takes the states that are asked for, and prints JSON', async () => {
    await refusedFor(alice.email)
    expect(JSON.parse((await mail('list', '--state', 'sent,queued', '--json')).output)).toEqual([])
    const [job] = JSON.parse((await mail('list', '--state', 'dead', '--json')).output)
    expect(job).toMatchObject({
      ...{ kind: 'recovery', state: 'dead', attempts: 1, to: 'a…@site.example' },
      reference: expect.stringMatching(/^[2-9A-Z]{4}-[2-9A-Z]{4}$/),
      createdAt: new Date(site.clock.now()).toISOString(),
    })
    expect(JSON.stringify(job)).not.toContain('sealed')
    expect(await mail('list', '--state', 'lost')).toMatchObject({ code: 2 })
  })
})

describe('mail show', () => {
  it('tells all of one mail, by its reference in any spelling or the beginning of its id', async () => {
    await refusedFor(bob.email)
    const [{ id, reference } = { id: '', reference: '' }] = await site.rows<{
      id: string
      reference: string
    }>(
      'select mail_job.id, reference from mail_job join password_reset on reset_id = password_reset.id',
    )
    const shown = await mail('show', reference.toLowerCase())
    expect(shown).toMatchObject({ code: 0 })
    expect(shown.output).toContain(`id         ${id}\n`)
    expect(shown.output).toContain('to         B…@site.example\n')
    expect(shown.output).toMatch(/^why {8}The mail server: EENVELOPE 550 /m)
    expect((await mail('show', '--', id.slice(0, 6))).output).toBe(shown.output)
  })

  it('says when there is none', async () => {
    expect(await mail('show', 'K7Q4-MZ8P')).toMatchObject({
      code: 2,
      errors: 'mail: there is none with the reference or id K7Q4-MZ8P\n',
    })
  })
})

describe('mail retry', () => {
  it('has what was given up tried again, and then it arrives', async () => {
    await refusedFor(alice.email)
    // The command line has the machine's clock: the server's stands still, and is moved past it.
    site.clock.move(60_000)
    expect(await mail('retry', '--dead')).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^[2-9A-Z]{4}-[2-9A-Z]{4} recovery: to be tried now\n$/),
    })
    const [received] = await site.smtp.to(alice.email)
    expect(received?.mail.subject).toContain('Reset your')
  })

  it('wants to know which', async () => {
    expect(await mail('retry')).toMatchObject({ code: 2 })
    expect(await mail('retry', 'K7Q4-MZ8P', '--dead')).toMatchObject({ code: 2 })
  })
})

it('mail drop ends a mail: its address is gone, and it cannot be tried again', async () => {
  await refusedFor(alice.email)
  expect((await mail('drop', '--dead')).output).toContain('recovery: dropped')
  expect(await site.rows('select state, sealed_address from mail_job')).toEqual([
    { state: 'dropped', sealed_address: null },
  ])
  expect((await mail('retry', '--dead')).output).toBe('There is none.\n')
})

describe('mail test', () => {
  it('sends a mail as people get it, and prints the conversation without the password', async () => {
    const password = 'the password of the mail server'
    const sink = await SmtpSink.start({
      authOptional: false,
      onAuth: (auth, _session, done) =>
        done(auth.password === password ? null : new Error('5.7.8 no'), { user: 'mailer' }),
    })
    const { port } = sink
    site.config = {
      ...site.config,
      smtp: { ...site.config.smtp, port, user: 'mailer', pass: password },
    }
    const { code, output } = await mail(
      'test',
      'me@site.example',
      '--kind',
      'code',
      '--language',
      'fr',
    )
    expect(code).toBe(0)
    expect(output).toMatch(/^127\.0\.0\.1:\d+\n {2}< 220 .*\n {2}> EHLO /)
    expect(output).toMatch(/^ {2}> AUTH (?:PLAIN|LOGIN)$/m)
    expect(output).toMatch(/^ {2}> RCPT TO:<me@site\.example>$/m)
    expect(output).toMatch(/^ {2}< 250 .*\nAccepted\n$/m)
    for (const secret of [password, Buffer.from(password).toString('base64').slice(0, 20)]) {
      expect(output).not.toContain(secret)
    }
    expect(sink.mails[0]?.mail.subject).toMatch(/^\[Test\] Votre code/)
    await sink.stop()
  })

  it('fails with the server’s words and what to do', async () => {
    await site.smtp.stop()
    const { code, errors } = await mail('test', 'me@site.example')
    expect(code).toBe(1)
    expect(errors).toMatch(/^The mail server: ESOCKET connect ECONNREFUSED .*\nCheck smtp\.host/)
  })

  it('hands it to sendmail, or keeps it in the mailbox, where there is no mail server', async () => {
    const program = join(site.folder, 'sendmail')
    writeFileSync(program, `#!/bin/sh\ncat > ${site.folder}/taken\n`)
    chmodSync(program, 0o755)
    site.config = { ...site.config, smtp: { sendmail: program } }
    expect(await mail('test', 'me@site.example')).toMatchObject({
      code: 0,
      output: `${program}\nAccepted\n`,
    })
    expect(readFileSync(join(site.folder, 'taken'), 'utf8')).toContain('To: me@site.example\n')
    site.config = { ...site.config, smtp: {} }
    expect(await mail('test', 'me@site.example')).toMatchObject({ code: 0 })
    expect(readdirSync(join(site.folder, 'data/mailbox'))).toHaveLength(1)
  })

  it('asks the server that stands in as well', async () => {
    const fallback = { host: '127.0.0.1', port: site.smtp.port }
    site.config = { ...site.config, smtp: { ...site.config.smtp, fallback } }
    const { output } = await mail('test', 'me@site.example')
    expect(output).toMatch(
      /Accepted\n127\.0\.0\.1:\d+\n[\s\S]*Ready; the mail was not sent by it\n$/,
    )
    expect(site.smtp.mails).toHaveLength(1)
  })

  it.each([
    [['test'], /say which address/],
    [['test', 'a@b@c'], /say which address/],
    [['test', 'me@site.example', '--kind', 'spam'], /--kind: spam is none of link, code/],
    [['tset'], /say list, show, retry, drop or test/],
  ])('refuses %j', async ([action = '', ...args], why) => {
    expect(await mail(action, ...args)).toMatchObject({
      code: 2,
      errors: expect.stringMatching(why),
    })
  })
})
