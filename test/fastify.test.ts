import formbody from '@fastify/formbody'
import view from '@fastify/view'
import { Eta } from 'eta'
import { type FastifyInstance, fastify } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../src/config/config.ts'
import { forgotPassword } from '../src/fastify.ts'
import { accounts, newPassword, oldPassword, route, Site } from './support/site.ts'
import { linkIn } from './support/smtp.ts'
import { Visitor } from './support/visitor.ts'
import { freePort } from './support/wait.ts'

const { alice } = accounts

let site: Site
let host: FastifyInstance
let visitor: Visitor
const log: string[] = []

/** A site of its own that has a form parser, a view, hooks and error pages before the module comes. */
async function makeHost(config: ConfigInput): Promise<FastifyInstance> {
  const app = fastify({ logger: { level: 'trace', stream: { write: (line) => log.push(line) } } })
  await app.register(formbody)
  await app.register(view, { engine: { eta: new Eta() }, templates: 'test/support' })
  app.addContentTypeParser('text/x-own', { parseAs: 'string' }, (_request, body, done) =>
    done(null, body),
  )
  app.setErrorHandler(async (_error, _request, reply) =>
    reply.code(418).send('the host’s own error'),
  )
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send('the host’s own 404'))
  app.addHook('onRequest', async (request, reply) => {
    const { access } = request.routeOptions.config as { access?: string }
    if (request.headers['x-closed'] && access !== 'free')
      await reply.code(401).send('sign in first')
  })
  app.post('/own-form', async (request) => ({ body: request.body }))
  app.post('/own-type', async (request) => ({ body: request.body }))
  app.get('/own-view', async (_request, reply) => reply.view('own.eta', { name: 'the host' }))
  app.get('/own-error', async () => {
    throw new Error('no')
  })
  await app.register(forgotPassword, { config })
  return app
}

beforeAll(async () => {
  site = await Site.start()
  await site.server?.close()
  site.server = null
  await start()
})

afterAll(async () => {
  await host.close()
  site.logLines.push(...log)
  await site.stop()
})

async function start(): Promise<void> {
  const port = await freePort()
  host = await makeHost({
    ...site.config,
    site: { name: 'Riverside', url: `http://127.0.0.1:${port}` },
  })
  await host.listen({ port, host: '127.0.0.1' })
  visitor = new Visitor(`http://127.0.0.1:${port}`)
}

it('recovers an account within a site of another kind', async () => {
  await visitor.follow(await visitor.post(route, { email: alice.email }))
  const link = linkIn((await site.smtp.to(alice.email))[0])
  site.secrets.add(new URL(link).searchParams.get('token') ?? '')
  expect((await site.reset(link, newPassword, visitor)).status).toBe(303)
  expect(site.hasPassword(alice.email, newPassword)).toBe(true)
})

describe('the host keeps', () => {
  it('its own form parser', async () => {
    const page = await visitor.post('/own-form', { a: '1' })
    expect(page.body).toBe('{"body":{"a":"1"}}')
  })

  it('its own content types, which the module does not read', async () => {
    const headers = { 'content-type': 'text/x-own' }
    expect((await visitor.post('/own-type', 'x', headers)).body).toBe('{"body":"x"}')
    const page = await visitor.post(route, 'x', headers)
    expect([page.status, page.reason]).toEqual([415, 'unsupported-type'])
  })

  it('its own view', async () => {
    expect((await visitor.get('/own-view')).body).toContain('Hello the host')
  })

  it('its own error pages', async () => {
    expect((await visitor.get('/own-error')).body).toBe('the host’s own error')
    expect((await visitor.get('/nowhere')).body).toBe('the host’s own 404')
  })

  it('its own headers: ours are on our pages alone', async () => {
    expect((await visitor.get('/own-view')).headers.get('content-security-policy')).toBeNull()
    expect((await visitor.get(route)).headers.get('content-security-policy')).toContain(
      "default-src 'none'",
    )
  })
})

it('tells the host’s sign-in hook which routes are free', async () => {
  expect((await visitor.get('/own-view', { 'x-closed': '1' })).status).toBe(401)
  expect((await visitor.get(route, { 'x-closed': '1' })).status).toBe(200)
})

it('keeps the query out of the host’s log', async () => {
  await visitor.get(`${route}?token=AAAABBBBCCCC&email=${alice.email}`)
  const lines = log.join('')
  expect(lines).toContain(route)
  expect(lines).not.toContain('AAAABBBBCCCC')
  expect(lines).not.toContain('@site.example')
})

it('delivers for as long as the host runs, and no longer', async () => {
  await host.close()
  await expect(visitor.get(route)).rejects.toThrow()
  await start()
})

it('refuses a prefix, which its links would not have', async () => {
  const app = fastify()
  app.register(forgotPassword, { prefix: '/x', config: site.config })
  await expect(app.ready()).rejects.toMatchObject({ code: 'ERR_FORGOT_CONFIG' })
})

it('tells the host what is wrong with its configuration', async () => {
  const app = fastify()
  app.register(forgotPassword, { config: { ...site.config, recovery: { linkLifetime: '9d' } } })
  await expect(app.ready()).rejects.toThrow(/recovery\.linkLifetime: must be a duration/)
})

it('takes accounts from the host itself', async () => {
  const passwords: string[] = []
  const user = { id: '1', email: 'own@site.example', name: null, locale: null, version: 'v1' }
  const users = {
    findByEmail: async (email: string) => (email === user.email ? user : null),
    findById: async () => user,
    setPassword: async (_: object, hash: string) => passwords.push(hash) > 0,
    hasUsed: async (_: object, password: string) => password === oldPassword,
  }
  const port = await freePort()
  const app = fastify()
  const url = `http://127.0.0.1:${port}`
  const store = { url: `sqlite:${site.folder}/own.db` }
  app.register(forgotPassword, { users, config: { ...site.config, store, site: { url } } })
  await app.listen({ port })
  const other = new Visitor(url)
  await other.post(route, { email: user.email })
  const link = linkIn((await site.smtp.to(user.email))[0])
  const refused = await site.reset(link, oldPassword, other)
  expect([refused.status, refused.reason]).toEqual([400, 'password-used'])
  expect(passwords).toEqual([])
  await site.reset(link, newPassword, other)
  expect(passwords).toHaveLength(1)
  await app.close()
})
