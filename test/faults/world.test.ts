import crypto from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { bytesOf } from '../attacks/raw.ts'
import { newAccount, newAddress } from '../attacks/support.ts'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import { linkIn } from '../support/smtp.ts'
import { Visitor } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'
import { expectInvariants } from './invariants.ts'
import { noticesTo, person } from './support.ts'

let site: Site
beforeAll(async () => {
  site = await Site.start()
})
afterAll(() => site.stop())

describe('a list of breached passwords', () => {
  let answer: (request: IncomingMessage, response: ServerResponse) => void
  const list = createServer((request, response) => answer(request, response))
  beforeAll(async () => {
    await new Promise<void>((resolve) => list.listen(0, '127.0.0.1', resolve))
    const { port } = list.address() as AddressInfo
    await site.server?.close()
    const breached = `http://127.0.0.1:${port}/range/`
    const { password, ...config } = site.config
    site.config = { ...config, password: { ...password, blockCommon: true, breached } }
    await site.listen()
  })
  afterAll(() => {
    list.closeAllConnections()
    list.close()
  })

  it.each([
    ['refuses every connection', (request: IncomingMessage) => request.socket.resetAndDestroy()],
    [
      'answers 503',
      (_: IncomingMessage, response: ServerResponse) => response.writeHead(503).end(),
    ],
    ['never answers', () => {}],
  ])('Z26 that %s holds nobody up, and common ones are refused as ever', async (_, how) => {
    answer = how
    const { email, token } = await person(site)
    const before = site.logLines.filter((line) => line.includes('breached')).length
    const common = await site.visitor().post(route, { token, password: 'passwordpassword' })
    expect([common.status, common.reason]).toEqual([400, 'password-common'])
    const started = performance.now()
    const done = await site.visitor().post(route, { token, password: newPassword })
    expect(done.headers.get('location')).toBe(`${route}?step=done`)
    expect(performance.now() - started).toBeLessThan(3500)
    expect(site.hasPassword(email, newPassword)).toBe(true)
    const after = site.logLines.filter((line) => line.includes('breached')).length
    expect(after - before).toBe(1)
    answer = (_, response) => response.end()
    await expectInvariants(site)
  })
})

describe('a connection that breaks', () => {
  const bodyOf = (fields: Record<string, string>) => ({
    method: 'POST',
    path: route,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  })

  it('Z28 after a password was sent has set it once: the same form, sent again, says that the link was used', async () => {
    const { email, token } = await person(site)
    site.database.exec('begin immediate')
    const socket = connect(Number(new URL(site.url).port), '127.0.0.1')
    socket.on('error', () => {})
    socket.write(bytesOf(bodyOf({ token, password: newPassword })))
    const spent = "select 1 from password_reset where state = 'used' and ended_at >= "
    await eventually(async () => (await site.rows(`${spent}${site.clock.now()}`)).length > 0)
    socket.resetAndDestroy()
    site.database.exec('commit')
    await eventually(() => site.hasPassword(email, newPassword))
    const hash = site.hashOf(email)
    for (const password of [newPassword, 'another passphrase of mine']) {
      const again = await site.visitor().post(route, { token, password })
      expect([again.status, again.reason]).toEqual([410, 'link-used'])
    }
    expect(site.hashOf(email)).toBe(hash)
    await eventually(() => noticesTo(site, email).length === 1)
    await expectInvariants(site)
  })

  it('Z28 after an address was sent has asked once: sent again, it shows the same and mails the same link', async () => {
    const email = newAccount(site).email
    const socket = connect(Number(new URL(site.url).port), '127.0.0.1')
    socket.on('error', () => {})
    const release = await site.store.hold()
    const arrived = () => site.logLines.filter((line) => line.includes('incoming request')).length
    const made = async () => (await site.rows('select 1 from password_reset')).length
    const before = [arrived(), await made()] as const
    socket.write(bytesOf(bodyOf({ email })))
    await eventually(() => arrived() > before[0])
    socket.resetAndDestroy()
    await release()
    await eventually(async () => (await made()) > before[1])
    const again = site.visitor()
    const page = await again.follow(await again.post(route, { email }))
    const mails = await site.smtp.to(email, 2)
    expect(await made()).toBe(before[1] + 1)
    expect(mails[1]?.mail.text).toContain(page.reference)
    expect(linkIn(mails[1])).toBe(linkIn(mails[0]))
    await expectInvariants(site)
  })

  it('Z29 before the answer came has changed the password: it signs in, and the mail tells so', async () => {
    const { email, link } = await person(site)
    const proxy = await startProxy(Number(new URL(site.url).port))
    const visitor = new Visitor(proxy.url)
    const { search } = new URL(link)
    const form = await visitor.follow(await visitor.get(`${route}${search}`))
    proxy.lose()
    const fields = { password: newPassword, csrf: form.field('csrf') }
    expect((await visitor.post(route, fields)).status).toBe(502)
    expect(site.hasPassword(email, newPassword)).toBe(true)
    await eventually(() => noticesTo(site, email).length === 1)
    proxy.find()
    const again = await visitor.post(route, fields)
    expect([again.status, again.reason]).toEqual([410, 'link-used'])
    proxy.stop()
    await expectInvariants(site)
  })
})

/** A proxy that can lose what the server answers, and says 502 instead. */
async function startProxy(port: number) {
  let isLosing = false
  const server = createTcpServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    client.pipe(upstream)
    upstream.on('data', (data) => {
      if (isLosing) client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')
      else client.write(data)
    })
    upstream.on('end', () => client.end())
    for (const socket of [client, upstream]) socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lose: () => {
      isLosing = true
    },
    find: () => {
      isLosing = false
    },
    stop: () => server.close(),
  }
}

describe('while there are no random bytes', () => {
  const sources = ['randomBytes', 'randomInt', 'randomUUID', 'randomFillSync'] as const
  const fail = () => {
    throw new Error('The source of random bytes has failed')
  }
  const without = async <T>(work: () => Promise<T>): Promise<T> => {
    const spies = sources.map((name) => vi.spyOn(crypto, name).mockImplementation(fail))
    syncBuiltinESMExports()
    try {
      return await work()
    } finally {
      for (const spy of spies) spy.mockRestore()
      syncBuiltinESMExports()
    }
  }
  const requests = async () => {
    const { link, token, email } = await person(site)
    const unknown = newAddress()
    return {
      email,
      link,
      send: () =>
        Promise.all([
          site.visitor().post(route, { email }),
          site.visitor().post(route, { email: unknown }),
          site.visitor().get(link),
          site.visitor().post(route, { token, password: newPassword }),
        ]),
    }
  }
  const rows = () => site.rows('select id, state from password_reset order by id')

  it('Z30 nothing is made, spent or mailed, and nothing else is taken for one', async () => {
    const { email, link, send } = await requests()
    const before = [await rows(), site.smtp.mails.length]
    const weak = vi.spyOn(Math, 'random')
    const pages = await without(send)
    const { length } = weak.mock.calls
    weak.mockRestore()
    expect(length).toBe(0)
    for (const { status, headers } of pages) {
      expect(status).toBeGreaterThanOrEqual(500)
      expect(headers.getSetCookie()).toEqual([])
    }
    expect([await rows(), site.smtp.mails.length]).toEqual(before)
    expect(site.hasPassword(email, oldPassword)).toBe(true)
    expect((await site.reset(link)).status).toBe(303)
    await expectInvariants(site)
  })

  it('Z30 everybody is shown the house’s own page, which says when to come back', async () => {
    const { send } = await requests()
    for (const page of await without(send)) {
      expect([page.status, page.step, page.reason]).toEqual([503, 'error', 'unavailable'])
      expect(page.headers.get('retry-after')).toBe('5')
      expect(page.body).not.toContain('random')
    }
    await expectInvariants(site)
  })
})
