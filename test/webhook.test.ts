import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { hours, minutes } from './support/clock.ts'
import { accounts, route, Site } from './support/site.ts'
import { eventually, freePort } from './support/wait.ts'

const { alice } = accounts
const secret = 'the secret of the endpoint, of enough length'

interface Call {
  headers: IncomingHttpHeaders
  body: string
}

let site: Site
let port = 0
let endpoint: Server | null = null
let status = 204
const calls: Call[] = []
const names = () => calls.map((call) => JSON.parse(call.body).name as string)

async function listen(): Promise<void> {
  endpoint = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    request.on('end', () => {
      calls.push({ headers: request.headers, body })
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end()
    })
  })
  await new Promise<void>((resolve) => endpoint?.listen(port, '127.0.0.1', resolve))
}

async function hangUp(): Promise<void> {
  endpoint?.closeAllConnections()
  await new Promise((resolve) => endpoint?.close(resolve))
  endpoint = null
}

beforeEach(async () => {
  calls.length = 0
  status = 204
  port = await freePort()
  site = await Site.start({ hooks: { url: `http://127.0.0.1:${port}/events`, secret } })
})
afterEach(async () => {
  if (endpoint !== null) await hangUp()
  await site.stop()
})

/** Resolves when so many events are in the trail: that a mail is sent is written down after it has arrived. */
async function written(count: number): Promise<void> {
  await eventually(async () => (await site.rows('select * from audit_event')).length === count)
}

it('tells the endpoint each event, signed, without an address', async () => {
  await listen()
  await site.visitor().post(route, { email: alice.email })
  await eventually(() => calls.length === 2)
  expect(names()).toEqual(['requested', 'sent'])
  for (const { headers, body } of calls) {
    const { id } = JSON.parse(body)
    expect(headers['webhook-id']).toBe(id)
    const signed = `${id}.${headers['webhook-timestamp']}.${body}`
    const expected = createHmac('sha256', secret).update(signed).digest('base64')
    expect(headers['webhook-signature']).toBe(`v1,${expected}`)
    expect(Number(headers['webhook-timestamp'])).toBe(Math.floor(site.clock.now() / 1000))
    expect(body).not.toContain('@')
  }
  expect(endpoint?.address()).toMatchObject({ port } satisfies Partial<AddressInfo>)
})

it('tells them once and in their order after the endpoint was away, and the server was started again', async () => {
  const link = await site.mailedLink(alice.email)
  await written(2)
  await site.reset(link)
  await written(5)
  await eventually(() => site.logLines.some((line) => line.includes('the webhook has failed')))
  await site.server?.close()
  await listen()
  site.clock.move(minutes(1))
  await site.listen()
  await eventually(() => calls.length === 5)
  expect(names()).toEqual(['requested', 'sent', 'opened', 'changed', 'sent'])
  expect(new Set(calls.map((call) => call.headers['webhook-id'])).size).toBe(5)
})

it.each([500, 404, 302])(
  'tries again after an answer of %d, and lets nothing overtake',
  async (code) => {
    status = code
    await listen()
    await site.visitor().post(route, { email: alice.email })
    await eventually(() => calls.length === 1)
    status = 204
    await eventually(() => {
      site.clock.move(1000)
      return calls.length === 3
    })
    expect(names()).toEqual(['requested', 'requested', 'sent'])
    expect(calls[1]?.headers['webhook-id']).toBe(calls[0]?.headers['webhook-id'])
  },
)

it('does not come with yesterday’s news', async () => {
  await site.visitor().post(route, { email: alice.email })
  await written(2)
  site.clock.move(hours(25))
  await listen()
  await site.visitor().post(route, { email: 'nobody@site.example' })
  await eventually(() => calls.length === 1)
  const untold = () => site.rows('select * from audit_event where told_at is null')
  await expect.poll(untold).toHaveLength(2)
})
