import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { PwnedPasswords } from '../../src/password/breached.ts'

const breached = 'a password of somebody else'
const hash = createHash('sha1').update(breached).digest('hex').toUpperCase()

let server: Server
let url = ''
let answer: (request: IncomingMessage, response: ServerResponse) => void
const asked: IncomingMessage[] = []
const warnings: object[] = []
const log = { info: () => {}, warn: (data: object) => warnings.push(data), error: () => {} }

beforeEach(async () => {
  asked.length = 0
  warnings.length = 0
  answer = (_, response) => {
    response.end(`${'0'.repeat(35)}:0\r\n${hash.slice(5)}:3\r\n${'F'.repeat(35)}:12`)
  }
  server = createServer((request, response) => {
    asked.push(request)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/range/`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

it('finds a breached password, and tells no more of it than five hex digits', async () => {
  const list = new PwnedPasswords(url, log)
  expect(await list.isListed(breached)).toBe(true)
  expect(asked[0]?.url).toBe(`/range/${hash.slice(0, 5)}`)
  expect(asked[0]?.headers['add-padding']).toBe('true')
  expect(JSON.stringify([asked[0]?.url, asked[0]?.headers])).not.toContain(hash.slice(5, 10))
})

it('lets other passwords pass, and those that are only padding', async () => {
  const list = new PwnedPasswords(url, log)
  expect(await list.isListed('another password')).toBe(false)
  answer = (_, response) => response.end(`${hash.slice(5)}:0`)
  expect(await list.isListed(breached)).toBe(false)
})

it.each([
  ['fails', (_: IncomingMessage, response: ServerResponse) => response.writeHead(503).end()],
  ['hangs up', (request: IncomingMessage) => request.socket.destroy()],
  ['says nothing', () => {}],
  [
    'leads elsewhere',
    (_: IncomingMessage, response: ServerResponse) =>
      response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  ],
])('lets every password pass when the list %s, and tells the owner', async (_, how) => {
  answer = how
  expect(await new PwnedPasswords(url, log).isListed(breached)).toBe(false)
  expect(warnings).toHaveLength(1)
  expect(JSON.stringify(warnings)).not.toContain(hash.slice(0, 5))
})
