import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../src/config/load.ts'
import { createServer } from '../src/server.ts'
import { PostgresServer } from './support/postgres.ts'
import { accounts, newPassword, route, Site } from './support/site.ts'
import { linkIn } from './support/smtp.ts'
import { Visitor } from './support/visitor.ts'
import { eventually, freePort } from './support/wait.ts'

const { alice, bob, somchai } = accounts

let database: PostgresServer
let site: Site
let proxy: ChildProcess
let url = ''
const servers: { close(): Promise<unknown> }[] = []
const requests: number[] = []

/** The sample, with the names and ports of this test in the place of those that it has. */
function adapt(folder: string, port: number, [first = 0, second = 0]: readonly number[]): string {
  const sample = readFileSync('examples/deploy/nginx.conf', 'utf8')
  const places = [
    ['recovery-1:3000', `127.0.0.1:${first}`],
    ['recovery-2:3000', `127.0.0.1:${second}`],
    ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
    ['/etc/nginx/tls/library.example', `${folder}/tls`],
    ['/var/log/nginx/', `${folder}/`],
  ] as const
  return places.reduce((text, [there, here]) => {
    expect(text).toContain(there)
    return text.replaceAll(there, here)
  }, sample)
}

function startProxy(folder: string, port: number, behind: readonly number[]): ChildProcess {
  const names = [
    '-subj',
    '/CN=127.0.0.1',
    '-keyout',
    `${folder}/tls.key`,
    '-out',
    `${folder}/tls.crt`,
  ]
  const key = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...names]
  execFileSync('openssl', key, { stdio: 'ignore' })
  writeFileSync(join(folder, 'sample.conf'), adapt(folder, port, behind))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/nginx;`)
    .join(' ')
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/nginx.pid; error_log ${folder}/start.log; events {}
    http { ${temporary} include ${folder}/sample.conf; }`,
  )
  return spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' })
}

beforeAll(async () => {
  database = await PostgresServer.start()
  const port = await freePort()
  url = `https://127.0.0.1:${port}`
  site = await Site.start({
    site: { url, name: 'Riverside' },
    store: { url: await database.makeDatabase('site') },
    server: { trustProxy: '127.0.0.1', port: await freePort() },
    limits: { perClient: '200/10m' },
  })
  const second = await freePort()
  const config = loadConfig(
    { ...site.config, server: { trustProxy: '127.0.0.1', port: second } },
    { env: {} },
  )
  const other = await createServer(config, { clock: site.clock, logStream: { write: () => true } })
  servers.push(other)
  await other.listen({ host: '127.0.0.1', port: second })
  for (const [index, app] of [site.server, other].entries()) {
    app?.server.on('request', () => {
      requests[index] = (requests[index] ?? 0) + 1
    })
  }
  proxy = startProxy(site.folder, port, [site.config.server?.port ?? 0, second])
  await eventually(
    async () => (await new Visitor(url).get(route).catch(() => null))?.status === 200,
  )
})
afterAll(async () => {
  proxy.kill('SIGTERM')
  await Promise.all(servers.map((server) => server.close()))
  await site.stop()
  await database.stop()
})

async function mailedLink(visitor: Visitor, email: string): Promise<string> {
  expect((await visitor.post(route, { email })).status).toBe(303)
  const [received] = await site.smtp.to(email)
  return linkIn(received)
}

describe('two servers behind the sample for nginx', () => {
  it('are one site: whichever answers, a visitor goes on', async () => {
    const visitor = new Visitor(url)
    const link = await mailedLink(visitor, alice.email)
    expect(link.startsWith(`${url}${route}?token=`)).toBe(true)
    const form = await visitor.follow(await visitor.get(link))
    const fields = { password: newPassword, csrf: form.field('csrf') }
    const done = await visitor.follow(await visitor.post(route, fields))
    expect(done.step).toBe('done')
    expect(requests.every((count) => count > 1)).toBe(true)
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
  })

  it('let one of 64 simultaneous uses of a link win', async () => {
    const link = await mailedLink(new Visitor(url), bob.email)
    const token = new URL(link).searchParams.get('token') ?? ''
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, index) =>
        new Visitor(url).json(route, { token, password: `the password of visitor ${index}` }),
      ),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    // Too late, or told to come back by a server that has enough to do.
    const others = answers.filter(({ status }) => status === 410 || status === 503)
    expect(others).toHaveLength(63)
  })

  it('take a visitor for the one that nginx has seen, whatever is said', async () => {
    const rows = await database.query<{ client: string }>(
      'select distinct client from audit_event',
      [],
      'site',
    )
    await new Visitor(url).post(
      route,
      { email: 'a@site.example' },
      { 'x-forwarded-for': '198.51.100.7' },
    )
    expect(await database.query('select distinct client from audit_event', [], 'site')).toEqual(
      rows,
    )
  })

  it('lose nothing when one of them ends in the middle of things', async () => {
    const visitor = new Visitor(url)
    const link = await mailedLink(visitor, somchai.email)
    await servers.pop()?.close()
    const form = await visitor.follow(await visitor.get(link))
    const fields = { password: newPassword, csrf: form.field('csrf') }
    expect((await visitor.post(route, fields)).headers.get('location')).toContain('step=done')
  })

  it('leave no token in the proxy’s log', () => {
    const log = readFileSync(join(site.folder, 'recovery.log'), 'utf8')
    expect(log.split('\n').length).toBeGreaterThan(60)
    expect(log).not.toMatch(/token|\?/)
  })
})
