import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Cli } from '../support/process.ts'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import { Page } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'
import { limit } from './disk.ts'
import { expectInvariants } from './invariants.ts'
import { Served } from './served.ts'
import { person, restart } from './support.ts'

it('Z24 a password whose worker dies is not set: 503, and the next try sets it', async () => {
  // Dear enough to be met at work.
  const site = await Site.start({ password: { cost: 11 } })
  onTestFinished(() => site.stop())
  const { email, token } = await person(site)
  const workers: Worker[] = []
  const keep = (worker: Worker) => workers.push(worker)
  process.on('worker', keep)
  onTestFinished(() => {
    process.off('worker', keep)
  })
  const change = () => site.visitor().post(route, { token, password: newPassword })
  const first = change()
  const worker = await eventually(() => workers[0])
  await once(worker, 'online')
  await worker.terminate()
  const { status, reason, headers } = await first
  expect([status, reason, headers.get('retry-after')]).toEqual([503, 'unavailable', '5'])
  expect(site.hasPassword(email, oldPassword)).toBe(true)
  expect((await change()).headers.get('location')).toBe(`${route}?step=done`)
  await restart(site, { password: { ...site.config.password, cost: 4 } })
  await expectInvariants(site)
})

describe('a process that has', () => {
  let served: Served
  let site: Site
  let cli: Cli
  afterEach(() => served.stop())

  it('Z24 no memory for a hash refuses that password alone, and sets it when there is some', async () => {
    served = await Served.prepare({ password: { hash: 'scrypt' } })
    site = served.site
    cli = await served.run()
    const warm = await person(site)
    await site.reset(warm.link)
    const { email, link } = await person(site)
    const [, kibibytes = ''] =
      /VmData:\s+(\d+)/.exec(readFileSync(`/proc/${cli.pid}/status`, 'utf8')) ?? []
    // Enough for all it does but for the 128 MiB of one hash.
    limit(cli.pid, 'data', String((Number(kibibytes) + 64 * 1024) * 1024))
    const { status, reason, headers } = await site.reset(link)
    expect((await site.visitor().get(route)).status).toBe(200)
    limit(cli.pid, 'data', 'unlimited')
    expect([status, reason, headers.get('retry-after')]).toEqual([503, 'unavailable', '5'])
    expect(site.hasPassword(email, oldPassword)).toBe(true)
    expect((await site.reset(link)).headers.get('location')).toBe(`${route}?step=done`)
    expect(site.hashOf(email)).toMatch(/^\$scrypt\$ln=17,r=8,p=1\$[^$]{22}\$[^$]{43}$/)
    await served.kill()
    // These hashes are not those that the others are held against.
    site.database.exec("delete from members where pw_hash like '$scrypt$%'")
    await restart(site, { password: { cost: 4 } })
    await expectInvariants(site)
  })

  it('Z24 64 files at most, and all of them taken, refuses what needs one more, and recovers', async () => {
    served = await Served.prepare()
    site = served.site
    cli = await served.run({ prelude: 'ulimit -n 64' })
    const { email, link, token } = await person(site)
    const kept = keptAlive(site)
    expect((await kept('GET', '/health')).status).toBe(200)
    const sockets = Array.from({ length: 80 }, () => connectTo(site))
    await eventually(() => filesOf(cli) >= 63)
    // Its worker cannot be started, on a connection that there is already.
    const refused = await kept('POST', route, { token, password: newPassword })
    expect([refused.status, refused.reason]).toEqual([503, 'unavailable'])
    expect(site.hasPassword(email, oldPassword)).toBe(true)
    for (const socket of sockets) socket.destroy()
    await eventually(() => filesOf(cli) < 50)
    expect((await site.reset(link)).headers.get('location')).toBe(`${route}?step=done`)
    await expectInvariants(site)
  })
})

function connectTo({ url }: Site): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  return socket.on('error', () => {})
}

/** How many files a process has open. */
function filesOf({ pid }: Cli): number {
  return Number(execFileSync('sh', ['-c', `ls /proc/${pid}/fd | wc -l`]))
}

/** Requests on one connection that stays open. */
function keptAlive(site: Site) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return (method: string, path: string, fields: Record<string, string> = {}) =>
    new Promise<Page>((resolve, reject) => {
      const body = new URLSearchParams(fields).toString()
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': body.length,
      }
      const sent = request(new URL(path, site.url), { method, agent, headers }, (answer) => {
        let text = ''
        answer.on('data', (data) => {
          text += data
        })
        answer.on('end', () => {
          const received = new Headers(answer.headers as Record<string, string>)
          resolve(new Page(answer.statusCode ?? 0, received, text))
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
}

describe('a log that', () => {
  let served: Served
  let cli: Cli
  const descriptors: number[] = []
  const open = (file: string, flags: number | string) => {
    const descriptor = openSync(file, flags)
    descriptors.push(descriptor)
    return descriptor
  }
  const release = () => {
    for (const descriptor of descriptors.splice(0)) closeSync(descriptor)
  }
  const stop = async () => {
    await served.stop()
    release()
  }

  /** A server whose log is a pipe that only this test could read. */
  const startWithPipe = async () => {
    served = await Served.prepare()
    const pipe = join(served.site.folder, 'log')
    execFileSync('mkfifo', [pipe])
    open(pipe, constants.O_RDWR)
    cli = await served.run({ stdout: open(pipe, constants.O_WRONLY) })
    return pipe
  }

  describe('nobody reads, and that is full,', () => {
    beforeAll(async () => {
      const filler = open(await startWithPipe(), constants.O_WRONLY | constants.O_NONBLOCK)
      for (const bytes of [4096, 1]) {
        try {
          for (;;) writeSync(filler, Buffer.alloc(bytes))
        } catch {
          // It is full.
        }
      }
    })
    afterAll(stop)

    it('Z25 holds up no request', async () => {
      const { link } = await person(served.site)
      expect((await served.site.reset(link)).status).toBe(303)
      await expectInvariants(served.site)
    })

    it('Z25 keeps no server from stopping within ten seconds', async () => {
      cli.kill('SIGTERM')
      const late = sleep(11_000, 'It has not stopped', { ref: false })
      const end = cli.ended().then(() => 'It has stopped')
      expect(await Promise.race([end, late])).toBe('It has stopped')
    })
  })

  it('Z25 was closed holds up no request', async () => {
    await startWithPipe()
    onTestFinished(stop)
    release()
    const { link } = await person(served.site)
    expect((await served.site.reset(link)).status).toBe(303)
    await expectInvariants(served.site)
  })

  it('Z25 has no room on its disk holds up no request, and tells what it lacks when it has room', async () => {
    served = await Served.prepare()
    onTestFinished(stop)
    const log = join(served.site.folder, 'log')
    cli = await served.run({ stdout: open(log, 'w') })
    const { link } = await person(served.site)
    limit(cli.pid, 'fsize', '1')
    const late = sleep(3000, 'Nobody answers', { ref: false })
    const pages = async () => {
      for (let count = 0; count < 20; count += 1) {
        const page = await served.site.visitor().get(link)
        expect(page.status).toBe(303)
      }
    }
    expect(await Promise.race([pages(), late])).toBeUndefined()
    limit(cli.pid, 'fsize', 'unlimited')
    await expectInvariants(served.site)
    const lines = await eventually(() => {
      const text = readFileSync(log, 'utf8')
      return /"dropped":[1-9]/.test(text) && text
    })
    served.site.logLines.push(lines)
  })
})
