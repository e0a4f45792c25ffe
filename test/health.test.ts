import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Metrics } from '../src/metrics.ts'
import { seconds } from './support/clock.ts'
import { accounts, route, Site } from './support/site.ts'
import { eventually } from './support/wait.ts'

const { alice, mallory } = accounts

let site: Site

beforeEach(async () => {
  site = await Site.start({ metrics: { enabled: true } })
})
afterEach(() => site.stop())

const get = (path: string) => site.visitor().get(path)
const sample = (text: string, name: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1],
  )

describe('/metrics', () => {
  it('tells what became of the mails, and what happened', async () => {
    await site.mailedLink(alice.email)
    await site.visitor().post(route, { email: mallory.email })
    site.smtp.refusals.push({ code: 550, at: 'rcpt' })
    await site.visitor().post(route, { email: accounts.bob.email })
    const text = await eventually(async () => {
      const { body } = await get('/metrics')
      // Counted once it is written down, which is a little later.
      return sample(body, 'forgot_events_total{event="send_failed"}') === 1 && body
    })
    expect(sample(text, 'forgot_mail_dead_total')).toBe(1)
    expect(sample(text, 'forgot_mail_sent_total')).toBe(1)
    expect(sample(text, 'forgot_mail_dropped_total')).toBe(1)
    expect(sample(text, 'forgot_mail_queued')).toBe(0)
    expect(sample(text, 'forgot_mail_oldest_seconds')).toBe(0)
    expect(sample(text, 'forgot_mail_jobs{state="dead"}')).toBe(1)
    expect(sample(text, 'forgot_events_total{event="requested"}')).toBe(3)
  })

  it('tells the age of the oldest mail that is owed, and its new tries', async () => {
    site.smtp.refusals.push({ code: 451, at: 'rcpt' })
    await site.visitor().post(route, { email: alice.email })
    await eventually(async () => {
      const { body } = await get('/metrics')
      return sample(body, 'forgot_mail_retried_total') === 1
    })
    await site.smtp.stop()
    site.clock.move(seconds(20))
    const { body } = await get('/metrics')
    expect(sample(body, 'forgot_mail_queued')).toBe(1)
    expect(sample(body, 'forgot_mail_oldest_seconds')).toBe(20)
  })

  it('is text as Prometheus reads it, and is not kept', async () => {
    const { body, headers } = await get('/metrics')
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(headers.get('cache-control')).toBe('no-store')
    const line = /^(?:# (?:HELP|TYPE) forgot_\w+ .+|forgot_\w+(?:\{\w+="\w+"\})? [\d.]+)$/
    for (const each of body.trimEnd().split('\n')) expect(each).toMatch(line)
    const helped = [...body.matchAll(/^# HELP (\w+)/gm)].map(([, name]) => name)
    expect(helped).toEqual([...body.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name))
  })

  it('is not there unless it is wanted', async () => {
    await site.server?.close()
    site.config = { ...site.config, metrics: { enabled: false } }
    await site.listen()
    expect((await get('/metrics')).status).toBe(404)
  })

  it('leaves the queue out when the store does not answer', () => {
    expect(new Metrics().render(null)).not.toContain('forgot_mail_queued')
  })
})

describe('/ready of a server that does not deliver', () => {
  it('is up while mails leave, and down when one is owed for half a minute', async () => {
    await site.server?.close()
    await site.listen({ isDelivering: false })
    await site.visitor().post(route, { email: alice.email })
    expect(JSON.parse((await get('/ready')).body)).toEqual({
      status: 'ok',
      store: 'ok',
      mail: 'ok',
    })
    site.clock.move(seconds(30))
    const late = await get('/ready')
    expect(late.status).toBe(503)
    expect(JSON.parse(late.body)).toEqual({ status: 'unavailable', store: 'ok', mail: 'down' })
    expect(site.smtp.mails).toEqual([])
  })
})
