// Whether visitors feel it when fifty people set the longest password at once.
import { createHmac, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { BenchSite, emailOf, percentile, route } from './site.ts'

const resets = 50
const longest = 72

const site = await BenchSite.start(resets)
for (let index = 0; index < resets; index += 1) {
  await site.send('POST', route, { email: emailOf(index) })
}
// A row that has been given to its account is as good as a mail: its link is derived from its id.
let ids: string[] = []
while (ids.length < resets) {
  await sleep(50)
  ids = site.assignedResets()
}
const tokens = ids.map((id) =>
  createHmac('sha256', site.secret).update(`link:${id}`).digest('base64url'),
)

let isDone = false
const pages: number[] = []
const watch = (async () => {
  while (!isDone) {
    const started = performance.now()
    await site.send('GET', route)
    pages.push(performance.now() - started)
    await sleep(5)
  }
})()
const started = performance.now()
const statuses = await Promise.all(
  tokens.map((token) => {
    const password = randomBytes(longest).toString('base64').slice(0, longest)
    return site.send('POST', route, { token, password })
  }),
)
const seconds = (performance.now() - started) / 1000
isDone = true
await watch
const count = (status: number) => statuses.filter((each) => each === status).length
console.log(
  `${count(303)} of ${resets} passwords set, ${count(503)} told to come back, in ${seconds.toFixed(1)} s`,
)
console.log(
  `GET of the form meanwhile: ${pages.length} times, p50 ${percentile(pages, 0.5).toFixed(1)} ms, ` +
    `p99 ${percentile(pages, 0.99).toFixed(1)} ms, longest ${Math.max(...pages).toFixed(1)} ms (p99 below 100 is wanted)`,
)
await site.stop()
