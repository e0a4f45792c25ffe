import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { Cli } from './support/process.ts'
import { accounts, route, Site } from './support/site.ts'
import { linkIn } from './support/smtp.ts'
import { eventually, freePort } from './support/wait.ts'

const { alice, bob } = accounts

let site: Site
let file = ''
const running: Cli[] = []

async function serve(...options: string[]): Promise<Cli> {
  const server = new Cli(['serve', '--config', file, ...options])
  running.push(server)
  await server.listening()
  return server
}

async function deliver(port: number): Promise<Cli> {
  const courier = new Cli(['courier', '--config', file, '--port', String(port)])
  running.push(courier)
  await courier.answering(`http://127.0.0.1:${port}/health`)
  return courier
}

beforeEach(async () => {
  site = await Site.start({ metrics: { enabled: true } })
  await site.server?.close()
  file = join(site.folder, 'config.yaml')
  writeFileSync(file, stringify(site.config))
})
afterEach(async () => {
  for (const each of running.splice(0)) {
    each.kill('SIGKILL')
    await each.ended()
  }
  await site.stop()
})

describe('a courier of its own', () => {
  it('delivers what servers with --no-courier have queued', async () => {
    await serve('--no-courier')
    await site.visitor().post(route, { email: alice.email })
    expect(await site.rows('select state, attempts from mail_job')).toEqual([
      { state: 'queued', attempts: 0 },
    ])
    const port = await freePort()
    const courier = await deliver(port)
    const [received] = await site.smtp.to(alice.email)
    expect((await site.visitor().get(linkIn(received))).status).toBe(303)
    const metrics = await eventually(async () => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      return text.includes('forgot_mail_sent_total 1\n') && text
    })
    expect(metrics).toContain('forgot_mail_queued 0\n')
    expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200)
    courier.kill('SIGTERM')
    expect(await courier.ended()).toBe(0)
  })

  it('shares the queue with others: each mail is delivered once', async () => {
    await serve('--no-courier')
    const couriers = await Promise.all([deliver(await freePort()), deliver(await freePort())])
    expect(couriers).toHaveLength(2)
    for (const { email } of [alice, bob]) await site.visitor().post(route, { email })
    await site.smtp.to(alice.email)
    await site.smtp.to(bob.email)
    await eventually(
      async () => (await site.rows("select 1 from mail_job where state <> 'sent'")).length === 0,
    )
    expect(site.smtp.mails).toHaveLength(2)
  })

  it('refuses a port that is none', async () => {
    const courier = new Cli(['courier', '--port', 'http'])
    expect(await courier.ended()).toBe(2)
    expect(courier.errors).toBe('--port: must be a port, 1 to 65535\n')
  })
})
