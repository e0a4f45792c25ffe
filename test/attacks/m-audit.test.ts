import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type FastifyInstance, fastify } from 'fastify'
import { afterEach, expect, it } from 'vitest'
import { eventNames, type RecoveryEvent } from '../../src/events.ts'
import { forgotPassword } from '../../src/fastify.ts'
import type { AuditRow } from '../../src/store/schema.ts'
import { eventChannel, type Hooks, hooksOf } from '../../src/trail.ts'
import { hours, minutes } from '../support/clock.ts'
import { accounts, newPassword, route, Site } from '../support/site.ts'
import { codeIn, linkIn } from '../support/smtp.ts'
import { Visitor } from '../support/visitor.ts'
import { eventually, freePort } from '../support/wait.ts'
import { settled } from './support.ts'

const { alice } = accounts

let site: Site
afterEach(() => site.stop())

const trail = () => site.rows<AuditRow>('select * from audit_event order by at, id')
const recorded = (event: string) =>
  eventually(async () => (await trail()).filter((row) => row.event === event).at(-1))

/** Goes through everything that can happen to a recovery. */
async function liveThrough(): Promise<void> {
  const visitor = site.visitor()
  await visitor.post(route, { email: alice.email })
  await visitor.post(route, { resend: '1' })
  const [mail] = await site.smtp.to(alice.email)
  const code = codeIn(mail)
  site.secrets.add(code)
  const wrong = code === '000000' ? '000001' : '000000'
  for (let each = 0; each < 5; each += 1) await visitor.post(route, { code: wrong })
  await site.visitor().get(`${route}?token=${'x'.repeat(43)}`)
  await site.visitor().get(`${route}?token=${'y'.repeat(43)}`)
  await site.reset(linkIn(mail))
  await recorded('changed')
  await settled(site)
  site.clock.move(hours(2))
  await visitor.post(route, { email: alice.email })
  const later = (await site.smtp.to(alice.email, 3)).at(-1)
  const [revoke = ''] = /(?<=revoke=)[\w.-]+/.exec(later?.mail.text ?? '') ?? []
  site.clock.move(hours(2))
  await site.visitor().get(linkIn(later))
  await site.visitor().post(route, { revoke })
  site.clock.move(minutes(2))
  site.smtp.refusals.push({ code: 550, at: 'rcpt' })
  await visitor.post(route, { email: alice.email })
  await recorded('send_failed')
}

it('M6 records one of each, with whom and why, and no address', async () => {
  site = await Site.start({
    recovery: { methods: ['link', 'code'] },
    limits: { perAccount: '1/60s', badProofs: '6/15m' },
  })
  await liveThrough()
  for (const name of eventNames) expect(await recorded(name), name).toBeDefined()
  const [requested] = await trail()
  expect(requested).toMatchObject({ event: 'requested', user_id: null, client: '127.0.0.0' })
  expect(requested?.subject_key).toMatch(/^[\w-]{43}$/)
  const changed = await recorded('changed')
  expect(changed).toMatchObject({ user_id: '1', subject_key: requested?.subject_key })
  expect(await recorded('sent')).toMatchObject({ user_id: '1', reason: 'recovery', client: '' })
  expect(await recorded('expired')).toMatchObject({ reason: 'link-expired', user_id: '1' })
  expect(await recorded('code_locked')).toMatchObject({ reason: 'code-locked', user_id: '1' })
  expect(await recorded('rejected')).toMatchObject({ reason: 'link-invalid', user_id: null })
  expect(JSON.stringify(await trail())).not.toMatch(/@|site\.example/)
})

it('records the same for an address without an account', async () => {
  site = await Site.start()
  await site.visitor().post(route, { email: alice.email })
  await site.visitor().post(route, { email: 'nobody@site.example' })
  const [known, unknown] = (await trail()).filter((row) => row.event === 'requested')
  const shape = (row: AuditRow | undefined) => ({
    ...row,
    id: '',
    at: 0,
    reset_id: '',
    subject_key: '',
  })
  expect(shape(unknown)).toEqual(shape(known))
})

it('does not let a flood of bad links fill the trail', async () => {
  site = await Site.start({ limits: { badProofs: '3/15m' } })
  for (let each = 0; each < 50; each += 1) await site.visitor().get(`${route}?token=bad`)
  await recorded('rate_limited')
  expect((await trail()).filter((row) => row.event === 'rejected')).toHaveLength(1)
  expect((await trail()).filter((row) => row.event === 'rate_limited')).toHaveLength(1)
})

it('is told to whoever listens on the diagnostics channel', async () => {
  site = await Site.start()
  const heard: RecoveryEvent[] = []
  const listen = (event: unknown) => heard.push(event as RecoveryEvent)
  subscribe(eventChannel, listen)
  try {
    await site.reset(await site.mailedLink(alice.email))
    // It is told once it has been written down, which the visitor does not wait for; the notice is sent after that.
    await eventually(() => heard.length >= 4)
    const names = heard.slice(0, 4).map((event) => event.name)
    expect(names).toEqual(['requested', 'sent', 'opened', 'changed'])
    expect(heard[3]).toMatchObject({ userId: '1', client: '127.0.0.0' })
  } finally {
    unsubscribe(eventChannel, listen)
  }
})

it('is told to a host’s hooks, those of the courier’s thread too, and a faulty one does no harm', async () => {
  site = await Site.start()
  await site.server?.close()
  site.server = null
  const heard: string[] = []
  const recoveries = new Set<string | null>()
  const hooks: Hooks = {
    ...hooksOf((event) => {
      heard.push(event.name)
      recoveries.add(event.resetId)
    }),
    onOpened: () => {
      heard.push('opened')
      throw new Error(`The hook’s own fault, about ${alice.email}`)
    },
  }
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const config = { ...site.config, site: { name: 'Riverside', url } }
  const host: FastifyInstance = fastify({
    logger: { level: 'trace', stream: { write: (line) => site.logLines.push(line) } },
  })
  await host.register(forgotPassword, { config, hooks })
  await host.listen({ port, host: '127.0.0.1' })
  try {
    const visitor = new Visitor(url)
    await visitor.post(route, { email: alice.email })
    const [mail] = await site.smtp.to(alice.email)
    const form = await visitor.follow(await visitor.get(linkIn(mail)))
    site.secrets.add(newPassword)
    const done = await visitor.post(route, { password: newPassword, csrf: form.field('csrf') })
    expect(done.status).toBe(303)
    await eventually(() => heard.filter((name) => name === 'sent').length === 2)
    expect(new Set(heard)).toEqual(new Set(['requested', 'sent', 'opened', 'changed']))
    expect([...recoveries]).toEqual([expect.any(String)])
    expect(site.logLines.some((line) => line.includes('a hook has failed'))).toBe(true)
  } finally {
    await host.close()
  }
})
