import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compareSync } from 'bcryptjs'
import Database from 'better-sqlite3'
import type { SMTPServerOptions } from 'smtp-server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Cli } from './support/process.ts'
import { codeIn, linkIn, SmtpSink } from './support/smtp.ts'
import { Visitor } from './support/visitor.ts'
import { freePort } from './support/wait.ts'

const email = 'nina@site.example'
const name = 'Nina'
const route = '/user/forgot-password'

let folder = ''
let smtp: SmtpSink | undefined
let cli: Cli | null = null
let client: Visitor
let url = ''
let port = 0

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-example-'))
  port = await freePort()
  url = `http://127.0.0.1:${port}`
  client = new Visitor(url)
})
afterEach(async () => {
  cli?.kill('SIGTERM')
  await cli?.ended()
  cli = null
  await smtp?.stop()
  rmSync(folder, { recursive: true })
})

/** Serves an example's own file, beside a database with its table and one account. */
async function serve(
  example: string,
  schema: string,
  options: SMTPServerOptions = {},
): Promise<void> {
  smtp = await SmtpSink.start(options)
  database().exec(schema)
  cli = new Cli(['serve', '--config', `examples/${example}/config.yaml`], { env: environment() })
  await cli.listening()
}

function environment(): Record<string, string> {
  return {
    FORGOT_SERVER__PORT: String(port),
    SITE_URL: url,
    SMTP_PORT: String(smtp?.port),
    SMTP_PASS: 'a password of the mail server',
    RECOVERY_SECRET: 'a secret of at least thirty-two characters',
    USERS_URL: `sqlite:${join(folder, 'site.db')}`,
    STORE_URL: `sqlite:${join(folder, 'store.db')}`,
    // Hashes are slow on purpose, and tests need not be.
    FORGOT_PASSWORD__COST: '4',
  }
}

const database = () => new Database(join(folder, 'site.db'))
const mailed = async (count = 1) => (await smtp?.to(email, count))?.at(-1)
const hash = (column: string, table: string) =>
  database().prepare(`select ${column} from ${table}`).pluck().get() as string

it('are all tried here', () => {
  expect(readdirSync('examples').sort()).toEqual([
    // In test/deploy.test.ts and nginx.test.ts.
    'deploy',
    'hashed-token',
    'itrocks',
    'otp-reference',
    'otp-simple',
    'sealed-email',
    // In test/e2e/theme.test.ts.
    'theme',
    // In test/users/http.test.ts and module.test.ts.
    'users-endpoint',
    'users-module',
  ])
})

describe('otp-reference', () => {
  const users = `
    create table users (userid integer primary key, user_name text, user_email text unique, user_password text, updated_at text);
    insert into users values (1, '${name}', '${email}', null, null)`
  const send = '/api/auth/send-otp'
  const verify = '/api/auth/verify-otp'
  const change = '/api/auth/reset-password'

  it('sends a code, verifies it, and changes the password', async () => {
    await serve('otp-reference', users)
    const chosen = { otp: '111111', referenceNumber: 'AAAA-2222', type: 'forgot' }
    const asked = await client.json(send, { email, ...chosen })
    expect([asked.status, Object.keys(asked.json)]).toEqual([202, ['success', 'message', 'ref']])
    const referenceNumber = String(asked.json['ref'])
    expect(referenceNumber).toMatch(/^[2-9A-Z]{4}-[2-9A-Z]{4}$/)
    expect(referenceNumber).not.toBe(chosen.referenceNumber)
    const otp = codeIn(await mailed())

    // What the client chose opens nothing, under neither reference.
    for (const each of [chosen, { ...chosen, referenceNumber }]) {
      if (each.otp === otp) continue
      expect((await client.json(verify, { email, ...each })).json['success']).toBe(false)
    }
    const verified = await client.json(verify, { email, otp, referenceNumber, type: 'forgot' })
    expect([verified.status, verified.json['success']]).toEqual([200, true])

    const body = { email, otp, referenceNumber }
    const weak = await client.json(
      change,
      { ...body, newPassword: 'alllowercase' },
      { method: 'PUT' },
    )
    expect([weak.status, weak.json['reason']]).toEqual([400, 'password-composition'])
    const newPassword = 'Tr1cky-Orchid'
    const changed = await client.json(change, { ...body, newPassword }, { method: 'PUT' })
    expect([changed.status, changed.json['success']]).toEqual([200, true])
    expect(compareSync(newPassword, hash('user_password', 'users'))).toBe(true)
    const again = await client.json(change, { ...body, newPassword }, { method: 'PUT' })
    expect(again.json['success']).toBe(false)
  })

  it('stops a client that asks more than three times in a quarter of an hour', async () => {
    await serve('otp-reference', users)
    const statuses = []
    for (let each = 0; each < 4; each += 1) {
      statuses.push((await client.json(send, { email: `p${each}@site.example` })).status)
    }
    expect(statuses).toEqual([202, 202, 202, 429])
  })

  it('answers POST alone where it takes POST, and has no other steps there', async () => {
    await serve('otp-reference', users)
    expect((await client.json(change, {}, { method: 'POST' })).status).toBe(405)
    const page = await client.json(send, { email, token: 'x', password: 'Tr1cky-Orchid' })
    expect(page.json['ref']).toBeTypeOf('string')
  })
})

it('otp-simple sends a code, verifies it by the address, and tells the name only then', async () => {
  await serve(
    'otp-simple',
    `create table patients (id integer primary key, email text, first_name text, password_hash text);
     insert into patients values (1, '${email}', '${name}', null)`,
  )
  const asked = await client.json('/api/auth/forgot-password-otp', { email })
  expect(asked.json['data']).toEqual({
    email,
    expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    expiresInMinutes: 10,
  })
  const otp = codeIn(await mailed())
  const wrong = otp === '000000' ? '000001' : '000000'
  const refused = await client.json('/api/auth/verify-password-reset-otp', { email, otp: wrong })
  expect(refused.status).toBe(400)
  expect(`${asked.body}${refused.body}`).not.toContain(name)
  const verified = await client.json('/api/auth/verify-password-reset-otp', { email, otp })
  expect(verified.json['data']).toEqual({
    email,
    name,
    expiresAt: expect.any(String),
    canResetPassword: true,
  })
  const changed = await client.json('/api/auth/reset-password-otp', {
    email,
    otp,
    newPassword: 'mossy1',
  })
  expect(changed.json['data']).toEqual({
    email,
    name,
    passwordChangedAt: expect.stringMatching(/^\d{4}-/),
  })
  expect(compareSync('mossy1', hash('password_hash', 'patients'))).toBe(true)
  expect((await mailed(2))?.mail.subject).toContain('was changed')
})

it('hashed-token mails a link to the site’s own page, and takes its token from the path', async () => {
  await serve(
    'hashed-token',
    `create table users (id integer primary key, email text, password text);
     insert into users values (1, '${email}', null)`,
  )
  expect((await client.json('/api/users/forgotPassword', { email })).status).toBe(202)
  const link = linkIn(await mailed())
  expect(link).toMatch(/^https:\/\/your-app\.test\/reset-password\?token=[\w-]{43}$/)
  const token = new URL(link).searchParams.get('token')
  const path = `/api/users/resetPassword/${token}`
  const password = 'a trail over the ridge'
  const method = 'PATCH'
  expect((await client.json(path, { password: 'short' }, { method })).json['reason']).toBe(
    'password-too-short',
  )
  const changed = await client.json(path, { password }, { method })
  expect([changed.status, changed.json['step']]).toEqual([200, 'done'])
  expect(compareSync(password, hash('password', 'users'))).toBe(true)
  const again = await client.json(path, { password }, { method })
  expect([again.status, again.json['reason']]).toEqual([410, 'link-used'])
  const stored = new Database(join(folder, 'store.db'))
    .prepare('select * from password_reset')
    .all()
  expect(JSON.stringify(stored)).not.toContain(token)
})

it('sealed-email mails a link in which nobody can read the address', async () => {
  await serve(
    'sealed-email',
    `create table users (id integer primary key, email text, password text);
     insert into users values (1, '${email}', null)`,
  )
  await client.json('/api/forgot-password', { email })
  const mail = await mailed()
  const [link = ''] = /http:\S+reset-password\S+/.exec(mail?.mail.text ?? '') ?? []
  const page = new URL(link)
  const sealed = page.searchParams.get('mail') ?? ''
  expect(page.pathname).toBe(`/reset-password/${sealed}`)
  expect(link).not.toMatch(/nina|site\.example|%40/i)
  expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain('nina')
  const body = {
    signature: page.searchParams.get('signature'),
    password: 'lanterns along the quay',
  }
  for (const each of [email, 'x', `${sealed}A`]) {
    const refused = await client.json('/api/reset-password', { ...body, email: each })
    expect([refused.status, refused.json['reason']]).toEqual([404, 'link-invalid'])
  }
  const changed = await client.json('/api/reset-password', { ...body, email: sealed })
  expect(changed.status).toBe(200)
  expect(compareSync(body.password, hash('password', 'users'))).toBe(true)
})

describe('itrocks', () => {
  const users = `
    create table user (id integer primary key, email text, password text);
    insert into user values (1, '${email}', null)`
  const signIn: SMTPServerOptions = {
    secure: true,
    authOptional: false,
    onAuth: ({ username, password }, _session, done) =>
      username === 'no-reply@example.com' && password === 'a password of the mail server'
        ? done(null, { user: username })
        : done(new Error('refused')),
  }

  async function recover(): Promise<void> {
    const visitor = new Visitor(url)
    const steps = [(await visitor.get(route)).step]
    const sent = await visitor.follow(await visitor.post(route, { email }))
    const opened = await visitor.follow(await visitor.get(linkIn(await mailed())))
    const password = 'granite and heather'
    const done = await visitor.follow(
      await visitor.post(route, { password, csrf: opened.field('csrf') }),
    )
    const error = await visitor.get(`${route}?token=x`)
    steps.push(sent.step, opened.step, done.step, error.step)
    expect(steps).toEqual(['form', 'sent', 'reset', 'done', 'error'])
    expect(compareSync(password, hash('password', 'user'))).toBe(true)
  }

  it('shows the five pages', async () => {
    await serve('itrocks', users, signIn)
    await recover()
  })

  it('shows them behind a router that makes actions without arguments, style sheet included', async () => {
    smtp = await SmtpSink.start(signIn)
    database().exec(users)
    cli = Cli.script('examples/itrocks/router.ts', {
      cwd: 'examples/itrocks',
      env: { ...environment(), PORT: String(port) },
    })
    await cli.answering(url)
    expect((await client.get(`${url}//`)).status).toBe(400)
    const twice = `email=${email}&email=evil%40site.example`
    expect((await client.post(route, twice)).status).toBe(400)
    const long = await client.post(route, `email=${'x'.repeat(20_000)}`)
    expect(long.status).toBe(400)
    await recover()
    const form = await client.get(route)
    expect(form.headers.get('content-security-policy')).toContain("default-src 'none'")
    const [, style = ''] = /rel="stylesheet" href="([^"]+)"/.exec(form.body) ?? []
    const sheet = await client.get(style.replace('&amp;', '&'))
    expect([sheet.status, sheet.headers.get('content-type')]).toEqual([
      200,
      'text/css; charset=utf-8',
    ])
    expect(sheet.body).toContain('--accent')
  })
})
