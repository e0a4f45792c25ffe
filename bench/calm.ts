import { drive, expectStatus, percentile, wire } from './driver.ts'
import type { Report } from './report.ts'
import { usual, visitor } from './requests.ts'
import { seedLinks } from './seed.ts'
import { BenchSite, newPassword, route } from './site.ts'

const resets = 4
const rounds = 6
const restMs = 3

/** Whether who opens the form feels that four people set their passwords. */
export async function measureCalm(report: Report): Promise<void> {
  const total = resets * (rounds + 1)
  const site = await BenchSite.prepare(total, usual)
  const tokens = await seedLinks(site, 0, total)
  await site.run()
  const reset = (round: number) =>
    drive(site.port, { connections: resets, next: passwordsOf(tokens, round) })
  await reset(0)
  const times: number[] = []
  for (let round = 1; round <= rounds; round += 1) {
    let isOver = false
    const watching = watch(site.port, () => isOver)
    expectStatus(await reset(round), 303)
    isOver = true
    times.push(...(await watching))
  }
  await site.stop()
  const sorted = times.sort((one, other) => one - other)
  const [p50, p99] = [percentile(sorted, 0.5), percentile(sorted, 0.99)]
  report.tell(
    'GET form meanwhile',
    `p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms, while ${resets} passwords are set at once (${sorted.length} times)`,
    { p50, p99 },
  )
  report.atMost('GET form while four resets run, p99 ms', p99, 10)
}

function passwordsOf(tokens: readonly string[], round: number): () => string | null {
  let index = round * resets
  return () => {
    if (index >= (round + 1) * resets) return null
    index += 1
    const token = tokens[index - 1] ?? ''
    return wire('POST', route, { token, password: newPassword }, visitor(index))
  }
}

async function watch(port: number, isOver: () => boolean): Promise<readonly number[]> {
  const times: number[] = []
  while (!isOver()) {
    let isSent = false
    const next = () => {
      if (isSent) return null
      isSent = true
      return wire('GET', route)
    }
    const series = await drive(port, { connections: 1, next })
    times.push(...series.times)
    await new Promise((resolve) => setTimeout(resolve, restMs))
  }
  return times
}
