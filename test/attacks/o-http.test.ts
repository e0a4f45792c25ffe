import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fastify } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { forgotPassword } from '../../src/fastify.ts'
import type { Users } from '../../src/users/users.ts'
import { accounts, newPassword, route, Site } from '../support/site.ts'
import type { Page } from '../support/visitor.ts'
import { bytesOf, raw, statusOf } from './raw.ts'
import {
  endWithOrdinaryReset,
  expectOrdinaryReset,
  form,
  formats,
  json,
  mailedToken,
  newAccount,
} from './support.ts'

let site: Site
beforeAll(async () => {
  site = await Site.start({ recovery: { methods: ['link', 'code'] } })
})
afterAll(() => site.stop())
endWithOrdinaryReset(() => site)

const wellKnown = '/.well-known/change-password'
const leaks = /FST_|fastify|node_modules|\.eta|\.ts:|\n\s+at |stack|x-powered-by|\r\nserver:/i

describe.each(['text/html', 'application/json'])('for %s', (accept) => {
  it('O1 other methods are not allowed, to nobody from anywhere', async () => {
    const headers = {
      Accept: accept,
      Origin: 'https://evil.example',
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'content-type',
      'X-HTTP-Method-Override': 'POST',
    }
    for (const method of ['PUT', 'DELETE', 'PATCH', 'TRACE', 'OPTIONS']) {
      const answer = await raw(site, bytesOf({ method, path: route, headers }))
      expect([method, statusOf(answer)]).toEqual([method, 405])
      expect(answer).toMatch(/^allow: GET, HEAD, POST\r$/im)
      expect(answer).not.toMatch(/access-control/i)
      expect(answer).toContain(`content-type: ${accept}; charset=utf-8`)
      expect(answer).not.toMatch(leaks)
    }
  })

  it('O1 no answer lets another origin read it', async () => {
    const headers = { accept, origin: 'https://evil.example' }
    const visitor = site.visitor()
    for (const path of [route, `${route}?step=done`, wellKnown, '/health', '/nowhere']) {
      const page = await visitor.get(path, headers)
      expect([...page.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual(
        [],
      )
    }
  })

  it('O5 an error shows nothing of the path it was asked for', async () => {
    const token = await mailedToken(site, newAccount(site).email)
    for (const part of [
      token,
      '<script>alert(1)</script>',
      '\'"><b>x</b>',
      '%zz',
      '..',
      'a'.repeat(3000),
    ]) {
      for (const path of [
        `/${part}`,
        `${route}/${part}`,
        `/x?y=${part}`,
        `${route}?token=${part}x`,
      ]) {
        for (const method of ['GET', 'POST', 'DELETE']) {
          const spelt = path.replaceAll(/[<>"' ]/g, (letter) => encodeURIComponent(letter))
          const answer = await raw(
            site,
            bytesOf({ method, path: spelt, headers: { Accept: accept } }),
          )
          expect(statusOf(answer)).toBeGreaterThanOrEqual(400)
          expect(statusOf(answer)).toBeLessThan(500)
          expect(answer).toContain(`content-type: ${accept}; charset=utf-8`)
          if (part !== '..') expect(answer).not.toContain(part)
          expect(answer).not.toContain(encodeURIComponent('<script>'))
          expect(answer).not.toMatch(leaks)
        }
      }
    }
  })
})

it('O1 the ways of the well-known address and of health are as few', async () => {
  for (const path of [wellKnown, '/health', '/ready']) {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      const answer = await raw(
        site,
        bytesOf({ method, path, headers: { Origin: 'https://evil.example' } }),
      )
      expect([path, method, [404, 405].includes(statusOf(answer))]).toEqual([path, method, true])
      expect(answer).not.toMatch(/access-control|FST_/i)
    }
  }
})

it('O4 the well-known address leads to the form, and an unknown one to nothing', async () => {
  const visitor = site.visitor()
  const page = await visitor.get(wellKnown)
  expect([page.status, page.headers.get('location'), page.body]).toEqual([302, route, ''])
  expect((await visitor.get(page.headers.get('location') ?? '')).step).toBe('form')
  const path = '/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200'
  for (const each of [await visitor.get(path), await visitor.json(path, null, { method: 'GET' })]) {
    expect(each.status).toBe(404)
  }
})

it('O5 what is hardly HTTP is answered in a word', async () => {
  for (const [name, bytes] of [
    ['a word', 'NONSENSE <b>secret</b>\r\n\r\n'],
    ['no host', 'GET /<b>secret</b> HTTP/1.1\r\n\r\n'],
    ['another version', 'GET /secret HTTP/9.9\r\nHost: secret\r\n\r\n'],
    ['24 kB of a header', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'secret'.repeat(4000)}\r\n\r\n`],
    ['a header with a blank', 'GET / HTTP/1.1\r\nHost: x\r\nbad header: secret\r\n\r\n'],
    ['a length of letters', 'POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: secret\r\n\r\n'],
    [
      'two lengths',
      'POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ] as const) {
    const answer = await raw(site, bytes)
    expect([name, [400, 431].includes(statusOf(answer))]).toEqual([name, true])
    expect(answer).not.toContain('secret')
    expect(answer).not.toMatch(leaks)
  }
})

describe('when something breaks', () => {
  let own: Site
  beforeAll(async () => {
    own = await Site.start()
  })
  afterAll(() => own.stop())

  /** Starts the site with templates of its own, each with a fault in one language alone. */
  const breakIn = async (files: readonly string[]) => {
    const folder = join(own.folder, 'own')
    mkdirSync(folder, { recursive: true })
    const inputs = '<input name="email"><input name="password"><input name="csrf">'
    for (const file of files) {
      writeFileSync(
        join(folder, file),
        `<main data-step="<%= it.step %>"><%~ it.body ?? "" %>${inputs}<% if (it.lang === 'fr') { %><%= it.no.such.thing %><% } %>`,
      )
    }
    await own.server?.close()
    own.config = { ...own.config, templates: folder }
    await own.listen()
    own.logLines.length = 0
  }
  const mend = async () => {
    await own.server?.close()
    own.config = { ...own.config, templates: null }
    await own.listen()
  }

  /** Starts the site with accounts that a host would bring. */
  const listenWith = async (users: Users) => {
    const app = fastify({ logger: { stream: { write: (line) => own.logLines.push(line) } } })
    await app.register(forgotPassword, { users, config: own.config })
    await app.listen({ host: '127.0.0.1', port: Number(new URL(own.url).port) })
    own.server = app
  }

  /** A number on the page is all that it shares with the log. */
  const expectHouse = (page: Page, incident: string) => {
    expect(incident).toMatch(/^[A-Z][2-9A-Z]{3}-[2-9A-Z]{4}$/)
    const lines = own.logLines.filter((line) => line.includes(incident))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/"level":50/)
    expect(page.body).not.toMatch(leaks)
    expect(page.body).not.toMatch(/such|TypeError|undefined/)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(page.headers.get('cache-control')).toBe('no-store')
  }

  it.each([
    ['the form', ['forgot.eta']],
    ['the layout of every page, the error’s too', ['layout.eta']],
  ])(
    'O6 a fault in %s leaves an error page, a number, and a server that lives',
    async (_, files) => {
      await breakIn(files)
      try {
        const page = await own.visitor().get(`${route}?lang=fr`)
        expect([page.status, page.step, page.reason]).toEqual([500, 'error', 'internal'])
        expectHouse(page, page.reference)
        expect((await own.visitor().get(`${route}?lang=en`)).step).toBe('form')
      } finally {
        await mend()
      }
      await expectOrdinaryReset(own)
    },
  )

  it.each(formats)(
    'O6 a fault of the accounts leaves an error and a number, by $name',
    async ({ post, reason, name }) => {
      await own.server?.close()
      const { users, ...config } = own.config
      own.config = config
      const user = { id: '1', email: accounts.alice.email, name: null, locale: null, version: 'v1' }
      const module: Users = {
        findByEmail: async () => user,
        findById: async () => {
          throw new TypeError('no such thing in /srv/users.ts')
        },
        setPassword: async () => true,
      }
      await listenWith(module)
      try {
        const token = await mailedToken(own, user.email)
        own.logLines.length = 0
        const page = await post(own.visitor(), { token, password: newPassword })
        expect([page.status, reason(page)]).toEqual([500, 'internal'])
        expectHouse(page, name === json.name ? String(page.json['incident']) : page.reference)
        const again = await form.post(own.visitor(), { email: user.email })
        expect(again.status).toBe(303)
      } finally {
        await own.server?.close()
        own.config = { ...config, ...(users ? { users } : {}) }
        await own.listen()
      }
      await expectOrdinaryReset(own)
    },
  )
})

describe('what is open', () => {
  const closed = [
    ...['/', '/index.html', '/favicon.ico', '/robots.txt', '/sitemap.xml', '/admin', '/login'],
    ...[
      '/metrics',
      '/status',
      '/healthz',
      '/debug',
      '/debug/pprof',
      '/documentation',
      '/openapi.yaml',
    ],
    ...[
      '/config.yaml',
      '/config.schema.json',
      '/package.json',
      '/.env',
      '/.git/config',
      '/store.db',
    ],
    ...['/data/secret.key', '/data/mailbox', '/templates/layout.eta', '/locales/en.yaml'],
    ...[
      '/src/server.ts',
      '/dist/server.js',
      '/node_modules/fastify/package.json',
      '/../config.yaml',
    ],
    ...['/dev/mailbox', '/dev', '/user', '/user/login', '/user/logout', '/.well-known/'],
    ...[`${route}/`, `/${route}`, route.toUpperCase(), `${route}.json`, `${route};x`],
    ...[
      `${route}/assets`,
      `${route}/assets/`,
      `${route}/assets/style.css`,
      `${route}/assets/script.js`,
    ],
    ...[`${route}/assets/../layout.eta`, `${route}/assets/..%2f..%2flayout.eta`],
    ...['/health/', '/health/../config.yaml', '/ready/', '/healthx'],
  ]

  it('O9 nothing is but what is documented', async () => {
    for (const path of closed) {
      for (const accept of ['text/html', 'application/json']) {
        const answer = await raw(site, bytesOf({ path, headers: { Accept: accept } }))
        expect([path, statusOf(answer)]).toEqual([path, 404])
        expect(answer).not.toMatch(leaks)
      }
    }
  })

  it('O9 health tells whether it lives, and no more', async () => {
    for (const [path, body] of [
      ['/health', { status: 'ok' }],
      ['/ready', { status: 'ok', store: 'ok', mail: 'ok' }],
    ] as const) {
      const page = await site.visitor().get(path)
      expect([page.status, page.json]).toEqual([200, body])
      expect([...page.headers.keys()].join()).not.toMatch(/server|powered|version|x-response/i)
      expect(page.headers.get('cache-control')).toBe('no-store')
    }
  })

  it('O9 the files of a page come without a map of their sources', async () => {
    const visitor = site.visitor()
    const page = await visitor.get(route)
    const files = [...page.body.matchAll(/(?:href|src)="([^"]+\/assets\/[^"]+)"/g)]
    expect(files).toHaveLength(2)
    for (const [, file = ''] of files) {
      const asset = await visitor.get(file)
      expect(asset.status).toBe(200)
      expect(asset.body).not.toMatch(/sourceMappingURL|sourceURL/)
      expect(asset.headers.get('sourcemap')).toBeNull()
      expect((await visitor.get(`${file}.map`)).status).toBe(404)
      expect((await visitor.get(file.replace(/\.[0-9a-f]{10}\./, '.0000000000.'))).status).toBe(404)
    }
  })
})
