import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { loadConfig } from '../src/config/load.ts'
import { machinesContract } from './machines.ts'
import { hastened } from './support/clock.ts'
import { PostgresServer } from './support/postgres.ts'
import { Cli } from './support/process.ts'
import { accounts, route, Site } from './support/site.ts'

const { alice } = accounts

let server: PostgresServer

beforeAll(async () => {
  server = await PostgresServer.start()
})
afterAll(() => server.stop())

machinesContract('PostgreSQL', () => server)

describe('a site with its store in PostgreSQL', () => {
  let site: Site | null = null
  afterEach(async () => {
    await site?.stop()
    site = null
  })

  it('asks people to come back while the database is away, and goes on when it is back', async () => {
    site = await Site.start({ store: { url: await server.makeDatabase('away') } })
    await server.halt()
    const away = await hastened(site.visitor().post(route, { email: alice.email }))
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, expect.anything()])
    expect((await site.visitor().get('/health')).status).toBe(200)
    await server.run()
    expect((await site.reset(await site.mailedLink(alice.email))).status).toBe(303)
  })

  it('has a courier that cannot start end, and let go of its connections', async () => {
    site = await Site.start({ store: { url: await server.makeDatabase('courier') } })
    const templates = join(site.folder, 'own')
    mkdirSync(templates)
    writeFileSync(join(templates, 'forgot.eta'), '<%= it.nothing.at.all %>')
    const file = join(site.folder, 'config.yaml')
    writeFileSync(file, stringify({ ...site.config, templates }))
    const courier = new Cli(['courier', '--config', file])
    expect(await courier.ended()).toBe(2)
    expect(courier.errors).toContain('forgot.eta:1')
  })

  it('wants a secret that every machine has', () => {
    const store = { url: 'postgres://forgot@127.0.0.1/site' }
    expect(() => loadConfig({ store }, { env: {} })).toThrow('secret: is required')
  })
})
