import { drive, expectStatus, percentile, wire } from './driver.ts'
import { BenchRelay } from './relay.ts'
import type { Report } from './report.ts'
import { usual, visitor } from './requests.ts'
import { BenchSite, emailOf, route } from './site.ts'

const pairs = 2000
const warmUp = 300

/** Whether the time of an answer tells known addresses from unknown ones, while the mail server says nothing. */
export async function measureSecrecy(report: Report): Promise<void> {
  const relay = new BenchRelay(Number.POSITIVE_INFINITY)
  await relay.start()
  const smtp = { host: '127.0.0.1', port: relay.port }
  const site = await BenchSite.start(pairs + warmUp, { ...usual, smtp })
  const known: number[] = []
  const unknown: number[] = []
  let index = 0
  // In an order that nobody could have learnt.
  let order = Math.random() < 0.5
  const next = () => {
    const pair = index >> 1
    if (pair >= pairs + warmUp) return null
    if (index % 2 === 0) order = Math.random() < 0.5
    const isKnown = (index % 2 === 0) === order
    index += 1
    const email = isKnown ? emailOf(pair) : `person-${pair}@elsewhere.example`
    sent.push({ isKnown, pair })
    return wire('POST', route, { email }, visitor(index))
  }
  const sent: { isKnown: boolean; pair: number }[] = []
  const answered = (ms: number) => {
    const { isKnown, pair } = sent.shift() ?? { isKnown: false, pair: 0 }
    if (pair >= warmUp) (isKnown ? known : unknown).push(ms)
  }
  expectStatus(await drive(site.port, { connections: 1, next, answered }), 303)
  await Promise.all([site.stop(), relay.kill()])
  const area = areaUnderCurve(known, unknown)
  const p50 = (times: readonly number[]) =>
    percentile(
      times.toSorted((one, other) => one - other),
      0.5,
    ).toFixed(2)
  report.tell(
    'known against unknown',
    `AUC ${area.toFixed(3)}; p50 ${p50(known)} and ${p50(unknown)} ms, ${pairs} pairs`,
    { areaUnderCurve: area, pairs },
  )
  report.atLeast('AUC of known against unknown', area, 0.45)
  report.atMost('AUC of known against unknown', area, 0.55)
}

/** How well a time tells the one from the other: 0.5 is not at all (area under the ROC curve). */
function areaUnderCurve(known: readonly number[], unknown: readonly number[]): number {
  let wins = 0
  for (const one of known) {
    for (const other of unknown) wins += one > other ? 1 : one === other ? 0.5 : 0
  }
  return wins / (known.length * unknown.length)
}
