import { drive, expectStatus, type Load, percentile, type Series, wire } from './driver.ts'
import { Floor } from './floor.ts'
import type { MeasuredProcess } from './measured.ts'
import { BenchRelay } from './relay.ts'
import type { Figures, Report } from './report.ts'
import { seedLinks } from './seed.ts'
import { BenchSite, emailOf, route, type Sections } from './site.ts'

/** What answers, ours or the floor. */
interface Subject {
  readonly port: number
  readonly process: MeasuredProcess
}

const accounts = 60_000
const links = 24_000
const slowMs = 300

/** Each visitor comes from an address of their own, through a proxy on this machine. */
export function visitor(index: number): Record<string, string> {
  const part = (shift: number) => (index >> shift) & 255
  return { 'x-forwarded-for': `10.${part(16)}.${part(8)}.${part(0)}` }
}

/** Everything as it is unless a site says otherwise, but that visitors come through a proxy. */
export const usual: Sections = {
  server: { trustProxy: '127.0.0.1' },
  limits: {},
}

/** Figures of one series of requests. */
export async function measure(
  { port, process }: Subject,
  load: Load,
  status: number,
): Promise<Figures> {
  const before = process.cpuSeconds
  let series: Series | null = null
  const delay = await process.loopDelay(async () => {
    series = await drive(port, load)
  })
  const { count, perSecond, times } = series ?? missing()
  expectStatus(series ?? missing(), status)
  return {
    perSecond,
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    cpuSecondsPer1000: ((process.cpuSeconds - before) * 1000) / count,
    loopDelayP99Ms: delay.p99Ms,
    residentMiB: process.residentMiB.now,
  }
}

function missing(): never {
  throw new Error('Nothing was measured')
}

type Name = 'GET form' | 'POST known' | 'POST unknown' | 'GET link'

/** What is sent, by the number of the visitor. */
const requests: Readonly<Record<Exclude<Name, 'GET link'>, (index: number) => string>> = {
  'GET form': (index) => wire('GET', route, null, visitor(index)),
  'POST known': (index) =>
    wire('POST', route, { email: emailOf(index % accounts) }, visitor(index)),
  'POST unknown': (index) =>
    wire('POST', route, { email: `nobody-${index}@site.example` }, visitor(index)),
}

/** Requests at one connection and at thirty-two, before a mail server that takes 300 ms for each mail. */
export async function measureRequests(report: Report, forMs: number): Promise<void> {
  const relay = new BenchRelay(slowMs)
  await relay.start()
  const smtp = { host: '127.0.0.1', port: relay.port }
  for (const name of ['GET form', 'POST known', 'POST unknown'] as const) {
    const status = name === 'GET form' ? 200 : 303
    const site = await BenchSite.start(accounts, { ...usual, smtp })
    const floor = await Floor.start(accounts)
    let index = 0
    const next = () => {
      index += 1
      return requests[name](index)
    }
    for (const subject of [site, floor]) {
      expectStatus(await drive(subject.port, { connections: 8, forMs: forMs / 2, next }), status)
    }
    for (const connections of [1, 32]) {
      const load = { connections, forMs, next }
      report.add(`${name}`, connections, await measure(site, load, status), {
        floor: await measure(floor, load, status),
      })
    }
    await Promise.all([site.stop(), floor.stop()])
  }
  await measureLinks(report)
  await relay.kill()
}

/** Links are opened, each by its own person and once. */
async function measureLinks(report: Report): Promise<void> {
  const site = await BenchSite.prepare(accounts, usual)
  const ours = await seedLinks(site, 0, links)
  await site.run()
  const floor = await Floor.start(accounts)
  const theirs = floor.seedLinks(links)
  const opening = (tokens: readonly string[], from: number, to: number) => {
    let index = from
    return () => {
      if (index >= to) return null
      index += 1
      const path = `${route}?token=${tokens[index - 1] ?? ''}`
      return wire('GET', path, null, visitor(index))
    }
  }
  const [warm, single] = [links / 8, links / 4]
  for (const [subject, tokens] of [[site, ours] as const, [floor, theirs] as const]) {
    await drive(subject.port, { connections: 8, next: opening(tokens, 0, warm) })
  }
  for (const [connections, from, to] of [
    [1, warm, single] as const,
    [32, single, links] as const,
  ]) {
    const load = (tokens: readonly string[]) => ({ connections, next: opening(tokens, from, to) })
    report.add('GET link', connections, await measure(site, load(ours), 303), {
      floor: await measure(floor, load(theirs), 303),
    })
  }
  await Promise.all([site.stop(), floor.stop()])
}
