import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { run } from '../src/cli/run.ts'
import type { ConfigInput } from '../src/config/config.ts'
import { loadConfig } from '../src/config/load.ts'
import { createServer } from '../src/server.ts'
import { hastened, minutes } from './support/clock.ts'
import { PostgresServer } from './support/postgres.ts'
import { accounts, newPassword, route, Site } from './support/site.ts'
import { codeIn } from './support/smtp.ts'
import { Visitor } from './support/visitor.ts'
import { eventually, freePort } from './support/wait.ts'

const { alice, bob, mallory } = accounts

let server: PostgresServer
let site: Site
let made = 0
const others: { close(): Promise<unknown> }[] = []

beforeAll(async () => {
  server = await PostgresServer.start()
})
afterAll(() => server.stop())
afterEach(async () => {
  await Promise.all(others.splice(0).map((other) => other.close()))
  await site.stop()
})

async function start(config: ConfigInput = {}): Promise<void> {
  made += 1
  const url = await server.makeDatabase(`site${made}`)
  site = await Site.start({ ...config, store: { url } })
}

/** A second process's worth of server on the same store, and a visitor of it. */
async function another(): Promise<Visitor> {
  const port = await freePort()
  const config = loadConfig({ ...site.config, server: { port } }, { env: {} })
  const app = await createServer(config, { clock: site.clock, logStream: { write: () => true } })
  await app.listen({ host: '127.0.0.1', port })
  others.push(app)
  return new Visitor(`http://127.0.0.1:${port}`)
}

const rows = <Row>(text: string) => server.query<Row>(text, [], `site${made}`)

describe('with its store in PostgreSQL, a site', () => {
  it('recovers by a link, once', async () => {
    await start()
    const link = await site.mailedLink(alice.email)
    expect((await site.reset(link)).headers.get('location')).toContain('step=done')
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
    expect((await site.visitor().get(link)).reason).toBe('link-used')
  })

  it('recovers by a code, and counts its wrong tries', async () => {
    await start({ recovery: { methods: ['code'], codeTries: 2 } })
    const visitor = site.visitor()
    await visitor.post(route, { email: alice.email })
    const [received] = await site.smtp.to(alice.email)
    const code = codeIn(received)
    const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0')
    expect((await visitor.post(route, { code: wrong })).status).toBe(400)
    const form = await visitor.follow(await visitor.post(route, { code }))
    expect(form.step).toBe('reset')
    const password = newPassword
    expect((await visitor.post(route, { password, csrf: form.field('csrf') })).status).toBe(303)
  })

  it('lets one of 64 simultaneous uses of a link win, whichever server they reach', async () => {
    await start()
    const link = await site.mailedLink(alice.email)
    const token = new URL(link).searchParams.get('token') ?? ''
    const visitors = [site.visitor(), await another()]
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, index) => {
        const password = `the password of visitor number ${index}`
        return visitors[index % 2]?.json(route, { token, password })
      }),
    )
    const winners = answers.flatMap((answer, index) => (answer?.status === 200 ? [index] : []))
    expect(winners).toHaveLength(1)
    expect(site.hasPassword(alice.email, `the password of visitor number ${winners[0]}`)).toBe(true)
  })

  it('mails an address once a minute, however many ask on however many servers', async () => {
    await start({ limits: { perAccount: ['1/60s'] } })
    const visitors = [site.visitor(), await another(), await another()]
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        visitors[index % 3]?.post(route, { email: index % 2 === 0 ? alice.email : mallory.email }),
      ),
    )
    await site.smtp.to(alice.email)
    await eventually(async () => {
      const owed = await rows("select 1 from mail_job where state in ('queued', 'sending')")
      return owed.length === 0
    })
    expect(site.smtp.mails).toHaveLength(1)
    expect(await rows('select 1 from mail_job')).toHaveLength(2)
    expect(await rows('select 1 from password_reset')).toHaveLength(2)
  })

  it('counts a client’s requests together on all servers', async () => {
    await start({ limits: { perClient: '6/10m' } })
    const visitors = [site.visitor(), await another()]
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        visitors[index % 2]?.post(route, { email: `person${index}@site.example` }),
      ),
    )
    expect(answers.filter((answer) => answer?.status === 303)).toHaveLength(6)
    expect(answers.filter((answer) => answer?.status === 429)).toHaveLength(6)
  })

  it('asks people to come back while the database is away, and goes on when it is back', async () => {
    await start()
    await server.halt()
    const away = await hastened(site.visitor().post(route, { email: alice.email }))
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, expect.anything()])
    expect((await site.visitor().get('/health')).status).toBe(200)
    await server.run()
    expect((await site.reset(await site.mailedLink(alice.email))).status).toBe(303)
  })

  it('wants a secret that every machine has', () => {
    const store = { url: 'postgres://forgot@127.0.0.1/site' }
    expect(() => loadConfig({ store }, { env: {} })).toThrow('secret: is required')
  })
})

describe('a site that moves from SQLite to PostgreSQL', () => {
  it('keeps its live links, its waiting mails and its secret', async () => {
    site = await Site.start()
    const link = await site.mailedLink(alice.email)
    await site.smtp.stop()
    await site.visitor().post(route, { email: bob.email })
    await site.server?.close()
    const file = join(site.folder, 'config.yaml')
    writeFileSync(file, stringify(site.config))
    made += 1
    const url = await server.makeDatabase(`site${made}`)
    const copy = () => run(['store', 'copy', '--to', url, '--config', file])
    const output = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    expect(await copy()).toBeUndefined()
    expect(output.mock.lastCall?.[0]).toMatch(/^\d+ rows copied\./)
    output.mockRestore()
    site.config = { ...site.config, store: { url } }
    await site.smtp.listen()
    // The first try has failed: the site's clock stands still until the second is due.
    site.clock.move(minutes(1))
    await site.listen()
    await site.smtp.to(bob.email)
    expect((await site.reset(link)).status).toBe(303)
    const errors = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    expect(await copy()).toBe(2)
    expect(errors.mock.lastCall?.[0]).toContain('is in use already: name an empty one')
    errors.mockRestore()
  })
})
