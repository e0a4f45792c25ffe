import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { Cli } from './support/process.ts'
import { accounts, Site } from './support/site.ts'
import { eventually } from './support/wait.ts'

const { alice, bob } = accounts

const count = 2

let site: Site
let file = ''
let server: Cli | null = null

async function serve(): Promise<Cli> {
  server = new Cli(['serve', '--config', file])
  await server.listening()
  return server
}

/** The processes that have answered so far. */
function answered({ output }: Cli): Set<number> {
  const lines = output.split('\n').filter((line) => line.includes('"request completed"'))
  return new Set(lines.map((line) => (JSON.parse(line) as { pid: number }).pid))
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

beforeAll(async () => {
  site = await Site.start({ metrics: { enabled: true } })
  await site.server?.close()
  file = join(site.folder, 'config.yaml')
  site.config = { ...site.config, server: { ...site.config.server, processes: count } }
  writeFileSync(file, stringify(site.config))
})
afterEach(async () => {
  server?.kill('SIGKILL')
  await server?.ended()
})
afterAll(() => site.stop())

/** Once all of them have answered. */
async function meetAll(running: Cli): Promise<Set<number>> {
  await eventually(async () => {
    await site.visitor().get('/health')
    return answered(running).size >= count
  }, 20_000)
  return answered(running)
}

describe('several processes on one port', () => {
  it('are one server, which goes on when one of them is killed, and ends as one', async () => {
    const running = await serve()
    const links = [await site.mailedLink(alice.email), await site.mailedLink(bob.email)]
    for (const link of links) {
      expect((await site.reset(link)).headers.get('location')).toContain('step=done')
      expect((await site.visitor().get(link)).reason).toBe('link-used')
    }
    const first = await meetAll(running)
    await eventually(() => site.smtp.mails.length === 4)
    const figures = await site.visitor().get('/metrics')
    expect(figures.body).toContain('forgot_events_total{event="changed"} 2\n')
    expect(figures.body).toContain('forgot_mail_sent_total 4\n')

    const [victim = 0] = first
    process.kill(victim, 'SIGKILL')
    await eventually(async () => {
      expect((await site.visitor().get('/health')).status).toBe(200)
      return answered(running).size > first.size
    }, 20_000)
    expect(running.output).toContain('a process has ended: another one starts')

    const pids = answered(running)
    running.kill('SIGTERM')
    expect(await running.ended()).toBe(0)
    expect([...pids].filter(isRunning)).toEqual([])
  })

  it('end with the one that has started them', async () => {
    const running = await serve()
    const pids = await meetAll(running)
    running.kill('SIGKILL')
    await eventually(() => ![...pids].some(isRunning))
    expect([...pids].filter(isRunning)).toEqual([])
  })

  it('say once what is wrong with the configuration, and that it is', async () => {
    const templates = join(site.folder, 'own')
    mkdirSync(templates)
    writeFileSync(join(templates, 'forgot.eta'), '<%= it.nothing.at.all %>')
    server = new Cli(['serve', '--config', file], { env: { FORGOT_TEMPLATES: templates } })
    expect(await server.ended()).toBe(2)
    expect(server.errors.match(/forgot\.eta:1/g)).toHaveLength(1)
  })

  it('say once why they cannot listen', async () => {
    const other = createServer()
    const port = Number(new URL(site.url).port)
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
    server = new Cli(['serve', '--config', file])
    expect(await server.ended()).toBe(1)
    expect(server.errors.match(/cannot be listened on: another program/g)).toHaveLength(1)
    other.close()
  })
})
