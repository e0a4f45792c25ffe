import { afterAll, beforeAll, expect, it } from 'vitest'
import { PostgresBell } from '../../src/store/postgres-bell.ts'
import { PostgresServer } from '../support/postgres.ts'
import { eventually } from '../support/wait.ts'

let server: PostgresServer
const place = { key: 'store.url', name: 'there', code: 'ERR_FORGOT_STORE' } as const

beforeAll(async () => {
  server = await PostgresServer.start()
})
afterAll(() => server.stop())

const open = (channel = 'mail_job') => PostgresBell.open(server.url('postgres'), place, channel)

it('calls who listens in another process, and nobody on another channel', async () => {
  const [ringing, listening, other] = [await open(), await open(), await open('other_mail_job')]
  const calls = { here: 0, elsewhere: 0 }
  listening.answer(() => {
    calls.here += 1
  })
  other.answer(() => {
    calls.elsewhere += 1
  })
  // Each is called once when it begins to listen.
  await eventually(() => calls.here === 1 && calls.elsewhere === 1)
  for (let index = 0; index < 20; index += 1) ringing.ring()
  await eventually(() => calls.here === 2)
  expect(calls.elsewhere).toBe(1)
  await Promise.all([ringing, listening, other].map((bell) => bell.close()))
})

it('calls again after the server was away, and fails nobody meanwhile', async () => {
  const [ringing, listening] = [await open(), await open()]
  let calls = 0
  listening.answer(() => {
    calls += 1
  })
  await eventually(() => calls === 1)
  await server.halt()
  ringing.ring()
  await server.run()
  // Rung while nobody could hear it: whoever is back looks for himself.
  await eventually(() => calls === 2)
  await eventually(() => {
    ringing.ring()
    return calls > 2
  })
  await Promise.all([ringing, listening].map((bell) => bell.close()))
})

it('closes while it cannot be reached', async () => {
  const bell = await PostgresBell.open('postgres://forgot@127.0.0.1:1/none', place, 'mail_job')
  bell.answer(() => expect.unreachable())
  bell.ring()
  await expect(bell.close()).resolves.toBeUndefined()
})
