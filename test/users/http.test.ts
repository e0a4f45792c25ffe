import { execFileSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { UserEndpoint } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { User } from '../../src/user.ts'
import { HttpUsers } from '../../src/users/http.ts'
import { minutes } from '../support/clock.ts'
import { takes } from '../support/login.ts'
import { Cli } from '../support/process.ts'
import { newPassword, Site } from '../support/site.ts'
import { freePort } from '../support/wait.ts'
import { usersContract } from './contract.ts'
import { closedPort, EndpointSite, type Reply, secret } from './endpoint.ts'

let endpoint: EndpointSite

beforeEach(async () => {
  endpoint = await EndpointSite.start()
})
afterEach(() => endpoint.stop())

const accountOf = (id: string) => {
  const account = endpoint.site.accounts.find((each) => each.id === id)
  if (account === undefined) throw new Error('There is no such account')
  return account
}

usersContract('an endpoint', () => ({
  open: async () => Object.assign(await endpoint.open(), { close: async () => {} }),
  add: async (account) => endpoint.add(account).id,
  signIn: async (id) => {
    endpoint.site.sessions.push({ account: id })
  },
  look: async (id) => ({
    hash: accountOf(id).hash,
    sessions: endpoint.site.sessions.filter((each) => each.account === id).length,
  }),
  change: async (id, change) => {
    Object.assign(accountOf(id), change)
  },
  clean: async () => {},
}))

it('recovers an account from the form to the new password', async () => {
  const { id } = endpoint.add({ email: 'Nina@site.example', name: 'Nina' })
  endpoint.site.sessions.push({ account: id })
  const site = await Site.start({ hooks: { secret }, users: endpoint.url })
  const link = await site.mailedLink('Nina@site.example')
  expect((await site.reset(link)).status).toBe(303)
  expect(takes(accountOf(id).hash, newPassword)).toBe(true)
  expect(endpoint.site.sessions).toEqual([])
  expect((await site.visitor().get(link)).reason).toBe('link-used')
  expect(JSON.stringify(endpoint.asked)).not.toContain(newPassword)
  await site.stop()
})

/** An account and its user, ready to be set a password. */
async function ready(): Promise<{ users: HttpUsers; user: User }> {
  const { id } = endpoint.add()
  const users = await endpoint.open()
  const user = await users.findById(id)
  if (user === null) throw new Error('There is no such account')
  endpoint.asked.length = 0
  return { users, user }
}

/** What an error tells, with all that caused it. */
async function wordsOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ code: 'ERR_FORGOT_USERS' })
  const words = inspect(error, { depth: 9 })
  expect(words).not.toContain(secret)
  expect(words).not.toContain('alice@')
  return (error as Error).message
}

describe('what is asked', () => {
  it('is signed as Standard Webhooks has it', async () => {
    const { users } = await ready()
    await users.findByEmail('alice@site.example')
    const [{ headers, body } = { headers: {}, body: {} }] = endpoint.asked
    expect(body).toEqual({ action: 'findByEmail', email: 'alice@site.example' })
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${JSON.stringify(body)}`
    const digest = createHmac('sha256', secret).update(signed).digest('base64')
    expect(headers['webhook-signature']).toBe(`v1,${digest}`)
    expect(Math.abs(Date.now() / 1000 - Number(headers['webhook-timestamp']))).toBeLessThan(5)
  })

  it('holds a password only where the endpoint has said that it compares them', async () => {
    const { users, user } = await ready()
    expect(await users.hasUsed(user, 'a real password')).toBe(false)
    expect(endpoint.asked).toEqual([])

    endpoint.reply = (action) => (action === 'hasUsed' ? { json: { used: true } } : 'right')
    const comparing = await endpoint.open()
    endpoint.asked.length = 0
    expect(await comparing.hasUsed(user, 'a real password')).toBe(true)
    const [question] = endpoint.bodies('hasUsed')
    expect(question).toEqual({ action: 'hasUsed', id: user.id, password: 'a real password' })
  })

  it('ends no sessions where the endpoint does not offer that', async () => {
    endpoint.reply = (action) => (action === 'endSessions' ? { status: 501 } : 'right')
    const users = await endpoint.open()
    endpoint.asked.length = 0
    await users.endSessions('1')
    expect(endpoint.asked).toEqual([])
  })
})

describe('the example', () => {
  it('runs beside its configuration', async () => {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/internal/accounts`
    const env = { PORT: String(port), USERS_SECRET: secret }
    const server = Cli.script('examples/users-endpoint/server.mjs', { env })
    await server.answering(url)
    const { users: settings } = loadConfig('examples/users-endpoint/config.yaml', {
      env: { ...env, USERS_URL: url, RECOVERY_SECRET: 'x'.repeat(32) },
    })
    const users = await HttpUsers.open(settings as UserEndpoint, systemClock)
    const nina = await users.findByEmail('NINA@site.example')
    expect(nina).toMatchObject({ id: '1', email: 'nina@site.example', version: '' })
    expect(nina && (await users.setPassword(nina, 'first'))).toBe(true)
    expect(await users.findById('1')).toMatchObject({ version: 'first' })
    server.kill('SIGTERM')
    await server.ended()
  })

  const post = (body: string, { at = Date.now(), key = secret } = {}) => {
    const timestamp = String(Math.floor(at / 1000))
    const digest = createHmac('sha256', key).update(`m1.${timestamp}.${body}`).digest('base64')
    const headers = {
      'webhook-id': 'm1',
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${digest}`,
    }
    return fetch(endpoint.exampleUrl, { method: 'POST', body, headers })
  }
  const question = JSON.stringify({ action: 'findById', id: '1' })
  const fourMinutes = 240_000

  it('answers what was signed minutes ago, and no older copy of it', async () => {
    endpoint.add()
    const statusAt = async (at: number) => (await post(question, { at })).status
    expect(await statusAt(Date.now() - fourMinutes)).toBe(200)
    expect(await statusAt(Date.now() - 2 * fourMinutes)).toBe(401)
    expect(await statusAt(Date.now() + 2 * fourMinutes)).toBe(401)
  })

  it('answers nobody who has another secret, or none', async () => {
    expect((await post(question, { key: 'x'.repeat(40) })).status).toBe(401)
    const unsigned = await fetch(endpoint.exampleUrl, { method: 'POST', body: question })
    expect(unsigned.status).toBe(401)
    expect((await fetch(endpoint.exampleUrl)).status).toBe(405)
  })

  it('does not take a name of JavaScript’s own for an action', async () => {
    for (const action of ['constructor', '__proto__', 'toString', 'hasUsed']) {
      expect((await post(JSON.stringify({ action }))).status).toBe(501)
    }
  })

  it('writes a password once, however often it is asked to', async () => {
    const { id, email } = endpoint.add()
    const body = JSON.stringify({ action: 'setPassword', id, email, version: 'old', hash: 'new' })
    expect(await (await post(body)).json()).toEqual({ written: true })
    expect(await (await post(body)).json()).toEqual({ written: true })
    endpoint.site.accounts = endpoint.site.accounts.map((each) => ({ ...each, hash: 'theirs' }))
    expect(await (await post(body)).json()).toEqual({ written: false })
  })
})

describe('an endpoint that fails', () => {
  const failing = (reply: Reply, times: number) => {
    endpoint.reply = (_, tries) => (tries <= times ? reply : 'right')
  }

  it.each<[string, Reply]>([
    ['429', { status: 429 }],
    ['502', { status: 502 }],
    ['503', { status: 503 }],
    ['504', { status: 504 }],
    ['a closed connection', 'hang-up'],
    ['silence', 'silence'],
    ['half an answer', 'half'],
    ['half an answer and a closed connection', 'torn'],
  ])('twice with %s is asked a third time, by the same webhook-id', async (_, reply) => {
    endpoint.add()
    const users = await endpoint.open({ timeoutMs: 200 })
    endpoint.asked.length = 0
    failing(reply, 2)
    expect(await users.findByEmail('alice@site.example')).toMatchObject({ id: '1' })
    expect(endpoint.asked).toHaveLength(3)
    expect(new Set(endpoint.asked.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  })

  it.each<[Reply, RegExp]>([
    [{ status: 503 }, /accounts has answered 503 \(findByEmail\)$/],
    ['hang-up', /cannot be reached: UND_ERR_SOCKET; check that it is running/],
    ['silence', /has not answered within 200 ms/],
  ])('three times with %j is an error', async (reply, message) => {
    const users = await endpoint.open({ timeoutMs: 200 })
    endpoint.asked.length = 0
    failing(reply, 9)
    expect(await wordsOf(users.findByEmail('alice@site.example'))).toMatch(message)
    expect(endpoint.asked).toHaveLength(3)
  })

  it('with anything else is not asked again', async () => {
    const users = await endpoint.open()
    endpoint.asked.length = 0
    failing({ status: 500, text: 'alice@site.example is unknown' }, 9)
    expect(await wordsOf(users.findByEmail('alice@site.example'))).toContain('has answered 500')
    expect(endpoint.asked).toHaveLength(1)
  })

  it('is given up when its time is over, in the middle of a try', async () => {
    const users = await endpoint.open({ timeoutMs: 9000 }, 300)
    failing('silence', 9)
    const start = performance.now()
    await wordsOf(users.findById('1'))
    expect(performance.now() - start).toBeLessThan(3000)
  })
})

describe('a password whose writing was not answered', () => {
  it('is written once, and counts as written', async () => {
    const { users, user } = await ready()
    endpoint.reply = (action, tries) => (action === 'setPassword' && tries === 1 ? 'lost' : 'right')
    expect(await users.setPassword(user, 'new')).toBe(true)
    const [first, second, ...others] = endpoint.bodies('setPassword')
    expect(first).toEqual(second)
    expect(first).toMatchObject({ version: 'old', hash: 'new' })
    expect(others).toEqual([])
    expect(accountOf(user.id).hash).toBe('new')
  })

  /** An endpoint that answers the repeat of a lost try by the version alone. */
  const forgetful = (action: string, tries: number): Reply => {
    if (action !== 'setPassword') return 'right'
    return tries === 1 ? 'lost' : { json: { written: false } }
  }

  it('counts as written also where the endpoint does not know its own work again', async () => {
    const { users, user } = await ready()
    endpoint.reply = forgetful
    expect(await users.setPassword(user, 'new')).toBe(true)
  })

  it('does not count as written where the account is as it was', async () => {
    const { users, user } = await ready()
    endpoint.reply = (action, tries) => {
      if (action !== 'setPassword') return 'right'
      return tries === 1 ? 'hang-up' : { json: { written: false } }
    }
    expect(await users.setPassword(user, 'new')).toBe(false)
    accountOf(user.id).active = false
    expect(await users.setPassword(user, 'new')).toBe(false)
  })

  it('is an error where nobody can tell whose the new version is', async () => {
    const { users, user } = await ready()
    endpoint.reply = (action, tries) => {
      if (action === 'findById') return { json: { user: { ...user, version: '8' } } }
      return forgetful(action, tries)
    }
    expect(await wordsOf(users.setPassword(user, 'new'))).toContain('leaves open who has changed')
  })

  it('is an error to the visitor then, and told to whoever owns the account', async () => {
    endpoint.add({ email: 'nina@site.example' })
    const site = await Site.start({ hooks: { secret }, users: endpoint.url })
    const link = await site.mailedLink('nina@site.example')
    endpoint.reply = (action, tries) => {
      const [{ email, id, hash } = { email: '', id: '', hash: 'old' }] = endpoint.site.accounts
      // Its version is a number that grows, and no hash.
      const version = hash === 'old' ? hash : '8'
      if (action === 'findById') return { json: { user: { id, email, version } } }
      return forgetful(action, tries)
    }
    expect((await site.reset(link)).status).toBe(503)
    site.clock.move(minutes(1))
    const mails = await site.smtp.to('nina@site.example', 2)
    expect(mails.at(-1)?.mail.subject).toContain('password was changed')
    await site.stop()
  })

  it('is not asked about after an answer to the first try', async () => {
    const { users, user } = await ready()
    accountOf(user.id).hash = 'theirs'
    expect(await users.setPassword(user, 'new')).toBe(false)
    expect(endpoint.asked).toHaveLength(1)
  })
})

describe('an answer', () => {
  const user = { id: '1', email: 'alice@site.example', name: null, locale: null, version: 'v' }

  it('needs neither name, language nor canReset', async () => {
    const users = await endpoint.open()
    endpoint.reply = () => ({ json: { user: { id: '1', email: user.email, version: '' } } })
    const expected = { ...user, canReset: true, version: '' }
    expect(await users.findByEmail(user.email)).toEqual(expected)
    endpoint.reply = () => ({ json: { user: { ...user, canReset: false } } })
    expect(await users.findById('1')).toMatchObject({ canReset: false })
  })

  it.each([
    '',
    'null',
    '[]',
    '{}',
    '{"user":{}}',
    JSON.stringify({ user: { ...user, id: 1 } }),
    JSON.stringify({ user: { ...user, version: null } }),
    JSON.stringify({ user: { ...user, email: ['alice@site.example'] } }),
    JSON.stringify({ user: { ...user, canReset: 'no' } }),
    JSON.stringify({ user: { ...user, password: 'hash' } }),
    JSON.stringify({ user, more: 1 }),
  ])('of another shape is an error that does not repeat it: %s', async (text) => {
    const users = await endpoint.open()
    endpoint.reply = () => ({ text })
    const message = await wordsOf(users.findByEmail('alice@site.example'))
    expect(message).toContain('must answer 200 with {"user":null}, or {"user":{…}}')
  })

  it.each<[string, Reply]>([
    ['{"written":1}', { json: { written: 1 } }],
    ['no content', { status: 204, text: '' }],
    ['not offered', { status: 501, json: {} }],
  ])('to setPassword that is %s is an error', async (_, reply) => {
    const { users, user: alice } = await ready()
    endpoint.reply = () => reply
    const message = await wordsOf(users.setPassword(alice, 'new'))
    expect(message).toContain('must answer 200 with {"written":true} or {"written":false}')
  })

  it('of more than 64 KiB is not read to its end', async () => {
    const users = await endpoint.open()
    endpoint.reply = () => ({ json: { user: { ...user, name: 'x'.repeat(70_000) } } })
    expect(await wordsOf(users.findById('1'))).toContain('has answered with more than 65536 bytes')
    endpoint.reply = () => ({ json: { user: { ...user, name: 'x'.repeat(60_000) } } })
    expect(await users.findById('1')).toMatchObject({ id: '1' })
  })

  it.each([
    ['mıke@site.example', 'mike@site.example'],
    ['mi\u212Ae@site.example', 'mike@site.example'],
    ['STRASSE@site.example', 'straße@site.example'],
    ['élan@site.example', 'ÉLAN@site.example'],
    ['bob@site.example', 'alice@site.example'],
  ])('to %s that is the account of %s is an error and no mail', async (typed, email) => {
    const users = await endpoint.open()
    endpoint.reply = () => ({ json: { user: { ...user, email } } })
    expect(await wordsOf(users.findByEmail(typed))).toContain('differs in more than the case')
  })

  it('with the account of another id is an error', async () => {
    const users = await endpoint.open()
    endpoint.reply = () => ({ json: { user } })
    expect(await wordsOf(users.findById('2'))).toContain('an account that has another id')
  })
})

describe('at the start', () => {
  it.each<[Reply, RegExp]>([
    [{ status: 401 }, /has answered 401: let it check the signature with the same secret/],
    [{ status: 403 }, /has answered 403: let it check the signature/],
    [{ status: 404 }, /has answered 404: check users\.url/],
    [
      { status: 302, headers: { location: '/elsewhere' } },
      /has answered 302, which leads elsewhere: set users\.url/,
    ],
    [{ json: [] }, /must answer 200 with \{"user":null\}/],
    [{ text: '<!doctype html>' }, /must answer 200 with \{"user":null\}/],
    ['silence', /has not answered within 100 ms/],
  ])('%j is refused with the remedy', async (reply, message) => {
    endpoint.reply = () => reply
    expect(await wordsOf(endpoint.open({ timeoutMs: 100 }))).toMatch(message)
  })

  it('an endpoint with another secret is refused', async () => {
    const words = await wordsOf(endpoint.open({ secret: 'another secret, which is as long' }))
    expect(words).toContain('has answered 401')
  })

  it('an endpoint that finds everybody is refused', async () => {
    endpoint.reply = () => ({ json: { user: { id: '1', email: 'a@site.example', version: '' } } })
    expect(await wordsOf(endpoint.open())).toContain('has another id')
    endpoint.reply = (_, _tries, { id = '' }) => ({
      json: { user: { id, email: 'a@site.example', version: '' } },
    })
    expect(await wordsOf(endpoint.open())).toContain('knows an account by an id that nobody has')
  })

  it('an endpoint whose certificate nobody vouches for is refused', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'forgot-tls-'))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const names = ['-subj', '/CN=127.0.0.1', '-keyout', key, '-out', cert]
    const make = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...names]
    execFileSync('openssl', make, { stdio: 'ignore' })
    let count = 0
    const tls = { key: readFileSync(key), cert: readFileSync(cert) }
    const server = createServer(tls, (_, response) => {
      count += 1
      response.end('{"user":null}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const words = await wordsOf(endpoint.open({ url: `https://127.0.0.1:${port}/accounts` }))
    expect(words).toContain('cannot be reached: DEPTH_ZERO_SELF_SIGNED_CERT; check its certificate')
    expect(count).toBe(0)
    await new Promise((resolve) => server.close(resolve))
    rmSync(folder, { recursive: true })
  })

  it('an endpoint that is away is refused, and the query of its address is not told', async () => {
    const url = `http://127.0.0.1:${await closedPort()}/accounts?key=4711`
    const words = await wordsOf(endpoint.open({ url }))
    expect(words).toMatch(/^users: http:\/\/127\.0\.0\.1:\d+\/accounts cannot be reached: ECONNREF/)
    expect(words).not.toContain('4711')
  })
})
