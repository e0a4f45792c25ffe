import { Worker } from 'node:worker_threads'
import { drive, expectStatus, percentile, wire } from './driver.ts'
import { Floor, type Hash } from './floor.ts'
import type { Report } from './report.ts'
import { measure, usual, visitor } from './requests.ts'
import { seedLinks } from './seed.ts'
import { BenchSite, newPassword, route } from './site.ts'

const hashes: readonly { readonly name: string; readonly hash: Hash; readonly count: number }[] = [
  // What is no hash shows where there is hardly any.
  { name: 'bcrypt 4', hash: { kind: 'bcrypt', cost: 4 }, count: 256 },
  { name: 'bcrypt 10', hash: { kind: 'bcrypt', cost: 10 }, count: 192 },
  { name: 'bcrypt 12', hash: { kind: 'bcrypt', cost: 12 }, count: 64 },
  { name: 'argon2id', hash: { kind: 'argon2id' }, count: 256 },
]
const singles = 16
const warmUp = 4
const cores = 2

/** Passwords are set by links of their own, beside what two cores can hash with nothing around it. */
export async function measurePasswords(report: Report): Promise<void> {
  for (const { name, hash, count } of hashes) {
    const total = warmUp + singles + count
    const { kind, cost } = hash
    const password = kind === 'bcrypt' ? { hash: kind, cost } : { hash: kind }
    const site = await BenchSite.prepare(total, { ...usual, password })
    const ours = await seedLinks(site, 0, total)
    await site.run()
    const floor = await Floor.start(total, { hash })
    const theirs = floor.seedLinks(total)
    const load = (tokens: readonly string[], connections: number, from: number, to: number) => {
      let index = from
      const next = () => {
        if (index >= to) return null
        index += 1
        const token = tokens[index - 1] ?? ''
        return wire('POST', route, { token, password: newPassword }, visitor(index))
      }
      return { connections, next }
    }
    for (const [subject, tokens] of [[site, ours] as const, [floor, theirs] as const]) {
      expectStatus(await drive(subject.port, load(tokens, 1, 0, warmUp)), 303)
    }
    const what = `POST password, ${name}`
    const both = async (connections: number, from: number, to: number) => {
      const capacity = await hashCapacity(hash, connections === 1 ? 1 : cores, to - from)
      const figures = await measure(site, load(ours, connections, from, to), 303)
      report.add(what, connections, figures, {
        floor: await measure(floor, load(theirs, connections, from, to), 303),
      })
      return { figures, capacity }
    }
    const one = await both(1, warmUp, warmUp + singles)
    const many = await both(32, warmUp + singles, total)
    await Promise.all([site.stop(), floor.stop()])
    const share = many.figures.perSecond / many.capacity.perSecond
    report.tell(
      name,
      `${cores} cores hash ${many.capacity.perSecond.toFixed(1)}/s: a share of ${share.toFixed(2)}`,
      { hashesPerSecond: many.capacity.perSecond, share },
    )
    if (cost === 4) {
      const ownMs = one.figures.p50Ms - one.capacity.p50Ms
      report.atMost('a password beside its hash, p50 ms', ownMs, 2)
    } else report.atLeast(`share of the hashes of ${cores} cores, ${name}`, share, 0.95)
  }
}

/** What so many cores hash, and how long each takes, with nothing around it. */
async function hashCapacity(
  hash: Hash,
  workers: number,
  count: number,
): Promise<{ readonly perSecond: number; readonly p50Ms: number }> {
  const times: number[] = []
  let left = count
  const work = async () => {
    const worker = new Worker(new URL('floor/worker.js', import.meta.url))
    const once = () =>
      new Promise<void>((resolve) => {
        worker.once('message', () => resolve())
        worker.postMessage({ ...hash, password: newPassword })
      })
    await once()
    await ready()
    while (left > 0) {
      left -= 1
      const started = performance.now()
      await once()
      times.push(performance.now() - started)
    }
    await worker.terminate()
  }
  let waiting = workers
  let begin = () => {}
  let started = 0
  const all = new Promise<void>((resolve) => {
    begin = resolve
  })
  const ready = () => {
    waiting -= 1
    if (waiting === 0) {
      started = performance.now()
      begin()
    }
    return all
  }
  await Promise.all(Array.from({ length: workers }, work))
  const sorted = times.sort((one, other) => one - other)
  return {
    perSecond: (count * 1000) / (performance.now() - started),
    p50Ms: percentile(sorted, 0.5),
  }
}
