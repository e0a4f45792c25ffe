import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ForgotError } from '../src/errors.ts'
import { hastened } from './support/clock.ts'
import { accounts, newPassword, oldPassword, route, Site } from './support/site.ts'
import { eventually } from './support/wait.ts'

const { alice } = accounts

let site: Site
beforeEach(async () => {
  site = await Site.start()
})
afterEach(() => site.stop())

/** Sends bytes as they are; the whole answer. */
function raw(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(site.url).port), '127.0.0.1', () => socket.write(request))
    let answer = ''
    socket.on('data', (data) => {
      answer += data.toString()
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
    socket.setTimeout(3000, () => socket.destroy())
  })
}

const ours = [
  /content-security-policy: default-src 'none'/i,
  /referrer-policy: no-referrer/i,
  /x-content-type-options: nosniff/i,
  /x-frame-options: DENY/i,
  /cross-origin-opener-policy: same-origin/i,
  /cache-control: no-store/i,
]

describe('every answer has the security headers', () => {
  it.each([
    ['a page', `GET ${route} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 200],
    [
      'a redirect',
      `POST ${route} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\n\r\nresend=1`,
      303,
    ],
    [
      'an unknown path',
      'GET /secret-in-path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      404,
    ],
    [
      'a path that is no path',
      'GET /user/%zz-secret-in-path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      400,
    ],
    [
      'an endless path',
      `GET ${route}/${'secret-in-path'.repeat(300)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      404,
    ],
    [
      'a method that is not for it',
      `DELETE ${route} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      405,
    ],
    ['health', 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 200],
    ['what is not HTTP', 'NONSENSE secret-in-path\r\n\r\n', 400],
    ['headers without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('on %s', async (_, request, status) => {
    const answer = await raw(request)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    for (const header of ours) expect(answer).toMatch(header)
    expect(answer).not.toContain('secret-in-path')
    expect(answer).not.toMatch(/FST_|fastify|node_modules|x-powered-by/i)
  })

  it('and a page of the house where a browser may see it', async () => {
    for (const [path, reason] of [
      ['/nowhere', 'not-found'],
      ['/%zz', 'bad-request'],
    ] as const) {
      const page = await site.visitor().get(path, { 'accept-language': 'fr' })
      expect([page.reason, page.headers.get('content-language')]).toEqual([reason, 'fr'])
    }
  })
})

describe('assets', () => {
  it('are named by their content and may be kept for ever', async () => {
    const visitor = site.visitor()
    const page = await visitor.get(route)
    const files = [...page.body.matchAll(/(?:href|src)="([^"]+\/assets\/[^"]+)"/g)].map(
      ([, file]) => file ?? '',
    )
    expect(files).toHaveLength(2)
    let bytes = page.body.length
    for (const file of files) {
      expect(file).toMatch(/\.[0-9a-f]{10}\.(?:css|js)$/)
      const asset = await visitor.get(file)
      expect(asset.headers.get('cache-control')).toContain('immutable')
      bytes += asset.body.length
    }
    // One TCP window, uncompressed.
    expect(bytes).toBeLessThanOrEqual(14 * 1024)
  })
})

describe('health', () => {
  it('shows a mail server that is away, and has said so at its start', async () => {
    await site.server?.close()
    await site.smtp.stop()
    await site.listen()
    await eventually(() => site.logLines.some((line) => line.includes('mail cannot be sent now')))
    const page = await site.visitor().get('/ready')
    expect([page.status, JSON.parse(page.body)]).toEqual([
      503,
      { status: 'unavailable', store: 'ok', mail: 'down' },
    ])
    expect((await site.visitor().get('/health')).status).toBe(200)
  })
})

describe('when something breaks', () => {
  it('a held database is told as such, with when to come back, and nothing is lost', async () => {
    const release = await site.store.hold()
    const asked = site.visitor().post(route, { email: alice.email })
    const page = await hastened(asked)
    expect([page.status, page.reason, page.headers.get('retry-after')]).toEqual([
      503,
      'unavailable',
      '5',
    ])
    await release()
    await site.mailedLink(alice.email)
  })

  it('a password that could not be written leaves the link as it was', async () => {
    const link = await site.mailedLink(alice.email)
    site.database.exec(
      "create trigger full before update on members begin select raise(abort, 'disk full'); end",
    )
    const failed = await site.reset(link)
    expect([failed.status, failed.reason]).toEqual([503, 'unavailable'])
    expect(site.hasPassword(alice.email, oldPassword)).toBe(true)
    site.database.exec('drop trigger full')
    expect((await site.reset(link)).status).toBe(303)
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
  })

  it('a number on the page is found in the log beside the cause', async () => {
    const link = await site.mailedLink(alice.email)
    site.database.exec('alter table members rename to gone')
    const page = await site.visitor().get(link)
    expect([page.status, page.reason]).toEqual([503, 'unavailable'])
    const line = site.logLines.find((each) => each.includes(page.reference)) ?? ''
    expect(line).toContain('no such table')
    expect(page.body).not.toContain('no such table')
    site.database.exec('alter table gone rename to members')
  })
})

describe('a site’s own files', () => {
  const own = async (files: Record<string, string>, config = {}) => {
    const folder = join(site.folder, 'own')
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, '..'), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    await site.server?.close()
    site.config = { ...site.config, templates: folder, ...config }
    await site.listen()
  }

  const inputs =
    '<main data-step="<%= it.step %>"><%~ it.body ?? "" %><input name="email"><input name="password"><input name="csrf">'
  /** A page whose fault shows in one language alone, and so not at the start. */
  const onlyIn = (tag: string, text: string) =>
    `${inputs}<% if (it.lang === '${tag}') { %>${text}<% } %>`
  const refused = async (files: Record<string, string>) => {
    const error: unknown = await own(files).catch((thrown: unknown) => thrown)
    await own(Object.fromEntries(Object.keys(files).map((name) => [name, ''])), { templates: null })
    expect(error).toMatchObject({ code: 'ERR_FORGOT_TEMPLATE' })
    const folder = join(site.folder, 'own/')
    return (error as ForgotError).problems.map((problem) => problem.replaceAll(folder, ''))
  }

  it.each([
    ['<h1>x</h1>\n<%= it.nope %>\n', ['forgot.eta:2: A template prints a value that is not there']],
    [
      '<h1>x</h1>\n\n<%= it.nope.deep %>',
      ["forgot.eta:3: Cannot read properties of undefined (reading 'deep')"],
    ],
    ['\n<% if (it.step { %>x<% } %>', ["forgot.eta:2: Unexpected token '{'"]],
    ['\n\n<%= it.step', ['forgot.eta:3: unclosed tag']],
    ["<%~ include('parts/none') %>", ['forgot.eta:1: There is no template parts/none.eta']],
    ['<h1>x</h1>', ['forgot.eta: has no name="email"', 'forgot.eta: has no data-step="form"']],
  ])('are refused at the start with file and line: %j', async (text, problems) => {
    expect(await refused({ 'forgot.eta': text })).toEqual(problems)
  })

  it('are refused with all their faults at once, and a mail with the lines its file has', async () => {
    const mail = '---\nsubject: <%= it.reference %>\n---\n<p>\n<%= it.lnk %></p>'
    expect(await refused({ 'email/fr/link.eta': mail, 'forgot-done.eta': '<%= it.x %>' })).toEqual([
      'forgot-done.eta:1: A template prints a value that is not there',
      'email/fr/link.eta:5: A template prints a value that is not there',
    ])
    expect(await refused({ 'email/fr/link.eta': '<p>Bonjour</p>' })).toEqual([
      'email/fr/link.eta: has no subject',
      'email/fr/link.eta: has no it.link',
    ])
  })

  it('that nothing uses are named, with what may have been meant', async () => {
    site.logLines.length = 0
    await own({ 'forgot-dome.eta': 'x', 'email/cy/link.eta': 'x', 'parts/mine.eta': 'x' })
    const notes = site.logLines.filter((line) => line.includes('is not used')).join('\n')
    expect(notes).toContain('forgot-dome.eta is not used (did you mean forgot-done.eta?)')
    expect(notes).toContain('email/cy/link.eta is not used: cy is not among the languages on offer')
    expect(notes).toContain('parts/mine.eta is not used')
  })

  it('win over the built-in ones, one by one', async () => {
    await own({
      'forgot-done.eta': "<% layout('layout') %><h1>Our own end</h1>",
      'assets/style.css': 'h1 { color: red }',
    })
    const done = await site.visitor().get(`${route}?step=done`)
    expect(done.body).toContain('Our own end')
    expect(done.step).toBe('done')
    expect((await site.visitor().get(route)).body).toContain('Reset your password')
  })

  it('include built-in parts', async () => {
    await own({
      'forgot.eta':
        "<% layout('layout') %><%~ include('parts/icon', { icon: 'key' }) %><input name=\"email\">",
    })
    expect((await site.visitor().get(route)).body).toContain('<svg class="icon key"')
  })

  it('change mails too', async () => {
    await own({
      'email/en/link.eta':
        '---\nsubject: Own <%= it.reference %>\n---\n<h1>Own</h1><%~ it.button("Go", it.link) %>',
    })
    await site.mailedLink(alice.email)
    expect(site.smtp.mails[0]?.mail.subject).toMatch(/^Own [A-Z][2-9A-Z]{3}-/)
  })

  it('cannot be reached from outside, and reach nowhere outside', async () => {
    await own({ 'forgot.eta': onlyIn('fr', "<%~ include('../../../../etc/passwd') %>") })
    expect((await site.visitor().get(`${route}?lang=fr`)).status).toBe(500)
    for (const path of ['/templates/layout.eta', `${route}/assets/../layout.eta`, '/config.yaml']) {
      expect((await site.visitor().get(path)).status).toBe(404)
    }
  })

  it('of style and logo are added to the pages', async () => {
    await own(
      { 'site.css': '/* own rule */', 'logo.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>' },
      {
        theme: {
          accent: '#ffcc00',
          css: join(site.folder, 'own/site.css'),
          logo: join(site.folder, 'own/logo.svg'),
        },
      },
    )
    const visitor = site.visitor()
    const page = await visitor.get(route)
    expect(page.body).toMatch(/<img src="[^"]+\/logo\.[0-9a-f]{10}\.svg" alt="Riverside">/)
    const style = await visitor.get(/href="([^"]+\.css)"/.exec(page.body)?.[1] ?? '')
    expect(style.body).toContain('/* own rule */')
    expect(style.body).toContain('--accent:#ffcc00;--on-accent:#000000')
  })
})

describe('behind a proxy', () => {
  it('that is not declared, what it says is ignored and the owner is told once', async () => {
    await site.server?.close()
    site.config = { ...site.config, limits: { perClient: '1/10m' } }
    await site.listen()
    const from = (ip: string) =>
      site.visitor().post(route, { email: alice.email }, { 'x-forwarded-for': ip })
    expect((await from('203.0.113.1')).status).toBe(303)
    expect((await from('203.0.113.2')).status).toBe(429)
    expect(site.logLines.filter((line) => line.includes('server.trustProxy'))).toHaveLength(1)
  })
})

it('stops at once, whatever connections are open', async () => {
  const idle = connect(Number(new URL(site.url).port), '127.0.0.1')
  await new Promise((resolve) => idle.once('connect', resolve))
  // Kept alive, and with nothing more to say.
  await (await fetch(`${site.url}${route}`)).text()
  const started = performance.now()
  await site.server?.close()
  expect(performance.now() - started).toBeLessThan(3000)
  await expect(site.visitor().get(route)).rejects.toThrow()
  idle.destroy()
})

it('finishes what it has begun before it stops', async () => {
  const visitor = site.visitor()
  const link = await site.mailedLink(alice.email)
  const form = await visitor.follow(await visitor.get(link))
  const changing = visitor.post(route, { password: newPassword, csrf: form.field('csrf') })
  await eventually(() => site.logLines.filter((line) => line.includes('"POST"')).length > 1)
  await site.server?.close()
  expect((await changing).status).toBe(303)
  expect(site.hasPassword(alice.email, newPassword)).toBe(true)
})

describe('the mailbox', () => {
  const open = async () => {
    await site.server?.close()
    const { smtp: _, ...config } = site.config
    site.config = { ...config, server: { ...config.server, host: '127.0.0.1' } }
    await site.listen()
  }

  it('is for people at this machine alone', async () => {
    await open()
    const visitor = site.visitor()
    expect((await visitor.get('/dev/mailbox')).status).toBe(200)
    expect((await visitor.get('/dev/mailbox', { 'x-forwarded-for': '203.0.113.1' })).status).toBe(
      404,
    )
    expect(
      await raw('GET /dev/mailbox HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n'),
    ).toMatch(/^HTTP\/1.1 404 /)
  })

  it('is for nobody who comes through a proxy that says anything of itself or of the page before', async () => {
    await open()
    const visitor = site.visitor()
    const proxied = ['via', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto']
    for (const name of proxied) {
      const { status } = await visitor.get('/dev/mailbox', { [name]: '203.0.113.1' })
      expect([name, status]).toEqual([name, 404])
    }
    for (const [origin, status] of [
      ['https://site.example', 404],
      ['garbage', 404],
      ['null', 200],
      [site.url, 200],
    ] as const) {
      const page = await visitor.post('/dev/mailbox', {}, { origin })
      expect([origin, page.status]).toEqual([origin, status])
    }
  })

  it('is linked to on pages of the demo for whoever may see it', async () => {
    const { users: _, ...config } = site.config
    site.config = config
    await open()
    const links = async (headers: Record<string, string>) =>
      (await site.visitor().get('/user/login', headers)).body.match(/href="\/dev\/\w+"/g)
    expect(await links({})).toEqual(['href="/dev/mailbox"', 'href="/dev/preview"'])
    expect(await links({ 'x-real-ip': '203.0.113.1' })).toBeNull()
  })

  it('reads nothing but its mails', async () => {
    await open()
    for (const name of ['../store.db', '/etc/passwd', '..%2fstore.db', 'x.eml']) {
      expect((await site.visitor().get(`/dev/mailbox?mail=${name}`)).status).toBe(404)
    }
  })
})
