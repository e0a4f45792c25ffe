import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from './driver.ts'
import { Floor } from './floor.ts'
import type { Report } from './report.ts'
import { BenchSite } from './site.ts'

const starts = 9
// By then everything is there that comes after the first answer.
const restMs = 4000

/** From the start of the process to its first answer, and what it needs of memory before it does anything. */
export async function measureStart(report: Report): Promise<void> {
  // First: what Node compiles for it is kept for the starts that follow, as it is in use.
  const [idleMiB, floorMiB] = [await ourIdleMiB(), await floorIdleMiB()]
  const ours: number[] = []
  const floors: number[] = []
  for (let index = 0; index < starts; index += 1) {
    const floor = await Floor.start(1, { isProbed: false })
    floors.push(floor.process.startMs)
    await floor.stop()
    const site = await BenchSite.prepare(1)
    await site.run({ isProbed: false })
    ours.push(site.process.startMs)
    await site.stop()
  }
  const [startMs, floorMs] = [ours, floors].map(median) as [number, number]
  report.tell(
    'cold start',
    `${startMs.toFixed(0)} ms (floor ${floorMs.toFixed(0)} ms, ratio ${(startMs / floorMs).toFixed(2)})`,
    { startMs, floorMs },
  )
  report.atMost('cold start to the first 200, ms', startMs, 300)
  report.tell('memory when idle', `${idleMiB.toFixed(0)} MiB (floor ${floorMiB.toFixed(0)} MiB)`, {
    idleMiB,
    floorMiB,
  })
  report.atMost('resident memory when idle, MB', megabytes(idleMiB), 110)
}

/** The memory targets are in millions of bytes. */
export function megabytes(mebibytes: number): number {
  return (mebibytes * 2 ** 20) / 1e6
}

export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((one, other) => one - other),
    0.5,
  )
}

async function ourIdleMiB(): Promise<number> {
  const site = await BenchSite.prepare(1)
  await site.run({ isProbed: false })
  await sleep(restMs)
  const { now } = site.process.residentMiB
  await site.stop()
  return now
}

async function floorIdleMiB(): Promise<number> {
  const floor = await Floor.start(1, { isProbed: false })
  await sleep(restMs)
  const { now } = floor.process.residentMiB
  await floor.stop()
  return now
}
