import { drive, expectStatus, wire } from './driver.ts'
import { Floor } from './floor.ts'
import type { MeasuredProcess } from './measured.ts'
import { BenchRelay } from './relay.ts'
import type { Report } from './report.ts'
import { usual, visitor } from './requests.ts'
import { BenchSite, emailOf, route } from './site.ts'

const people = 4000

/** Everybody asks at once, before a mail server that takes every mail at once: until the last one is there. */
export async function measureMails(report: Report): Promise<void> {
  const relay = new BenchRelay(0)
  await relay.start()
  const site = await BenchSite.start(2 * people, {
    ...usual,
    smtp: { host: '127.0.0.1', port: relay.port, pool: 8 },
  })
  const ours = await mailAll(site, relay)
  await site.stop()
  const floor = await Floor.start(2 * people, { smtpPort: relay.port })
  const theirs = await mailAll(floor, relay)
  await floor.stop()
  await relay.kill()
  report.tell(
    'mails',
    `${Math.round(ours.perSecond)}/s from the first request to the last mail, ${ours.cpuSecondsPer1000.toFixed(2)} CPU s/1000 with its request ` +
      `(floor ${Math.round(theirs.perSecond)}/s, ${theirs.cpuSecondsPer1000.toFixed(2)}; ratio ${(ours.perSecond / theirs.perSecond).toFixed(2)})`,
    { ours, floor: theirs },
  )
  report.atLeast('mails delivered, per second', ours.perSecond, 1200)
}

interface MailFigures {
  readonly perSecond: number
  readonly cpuSecondsPer1000: number
}

async function mailAll(
  { port, process }: { readonly port: number; readonly process: MeasuredProcess },
  relay: BenchRelay,
): Promise<MailFigures> {
  const ask = async (first: number, count: number) => {
    let index = first
    const next = () => {
      index += 1
      if (index > first + count) return null
      return wire('POST', route, { email: emailOf(index - 1) }, visitor(index))
    }
    const before = relay.mails.length
    expectStatus(await drive(port, { connections: 32, next }), 303)
    await relay.taken(before + count)
  }
  await ask(0, people / 4)
  const [started, cpu] = [performance.now(), process.cpuSeconds]
  await ask(people, people)
  const seconds = (performance.now() - started) / 1000
  return {
    perSecond: people / seconds,
    cpuSecondsPer1000: ((process.cpuSeconds - cpu) * 1000) / people,
  }
}
