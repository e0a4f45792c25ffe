// Whether ten thousand mails before a slow mail server cost memory, or the visitors' time.
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from '../driver.ts'
import { BenchRelay } from '../relay.ts'
import { BenchSite, emailOf, route } from '../site.ts'

const mails = 10_000
const mailMs = 300
const watchMs = 10_000
const atOnce = 8

const relay = new BenchRelay(mailMs)
await relay.start()
const site = await BenchSite.start(mails, {
  smtp: { host: '127.0.0.1', port: relay.port },
})
let peakMiB = 0
const memory = setInterval(() => {
  peakMiB = Math.max(peakMiB, site.process.residentMiB.now)
}, 100)

let next = 0
const started = performance.now()
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    while (next < mails) {
      next += 1
      const status = await site.send('POST', route, { email: emailOf(next - 1) })
      if (status !== 303) throw new Error(`The answer was ${status}`)
    }
  }),
)
const seconds = (performance.now() - started) / 1000
console.log(`${mails} requests in ${seconds.toFixed(1)} s; jobs ${JSON.stringify(site.jobs())}`)

const pages: number[] = []
const requests: number[] = []
const until = performance.now() + watchMs
while (performance.now() < until) {
  const start = performance.now()
  await site.send('GET', route)
  const middle = performance.now()
  await site.send('POST', route, { email: `late-${pages.length}@site.example` })
  pages.push(middle - start)
  requests.push(performance.now() - middle)
  await sleep(5)
}
clearInterval(memory)
const line = (name: string, measured: readonly number[]) => {
  const times = measured.toSorted((one, other) => one - other)
  return (
    `${name.padEnd(5)} ${times.length} times: p50 ${percentile(times, 0.5).toFixed(1)} ms, ` +
    `p99 ${percentile(times, 0.99).toFixed(1)} ms, longest ${Math.max(...times).toFixed(1)} ms`
  )
}
console.log(line('GET', pages))
console.log(line('POST', requests))
console.log(`memory at most ${peakMiB.toFixed(0)} MiB (below 250 is wanted; p99 below 20 ms)`)
console.log(`mails taken meanwhile: ${relay.mails.length}; jobs ${JSON.stringify(site.jobs())}`)
await site.stop()
await relay.kill()
