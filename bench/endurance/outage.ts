// Whether everybody gets a working link while the mail server and this server die again and again.
import { setTimeout as sleep } from 'node:timers/promises'
import { BenchRelay } from '../relay.ts'
import { BenchSite, emailOf, route } from '../site.ts'

const people = 1000
const relayDeaths = 5
const serverDeaths = 3
const atOnce = 8
// What was under way when something died may have been taken without anybody hearing of it.
const lostMs = 250

const relay = new BenchRelay(2)
await relay.start()
const site = await BenchSite.start(people, {
  limits: { perClient: 'off', badProofs: 'off' },
  smtp: { host: '127.0.0.1', port: relay.port, timeout: '2s' },
})

const deaths: number[] = []
const died = () => deaths.push(Date.now())
const havoc = (async () => {
  for (let index = 0; index < relayDeaths + serverDeaths; index += 1) {
    await sleep(1500)
    died()
    // Relay and server take turns, as far as there are deaths left.
    if (index % 2 === 1 && index < serverDeaths * 2) {
      await site.kill()
      await site.run()
    } else {
      await relay.kill()
      await sleep(1000 + 500 * index)
      await relay.start()
    }
  }
})()

/** Asks until it is answered, as a person would. */
async function ask(index: number): Promise<void> {
  for (;;) {
    const status = await site.send('POST', route, { email: emailOf(index) }).catch(() => 0)
    if (status === 303) return
    await sleep(100)
  }
}

const started = Date.now()
let next = 0
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    while (next < people) {
      const index = next
      next += 1
      await ask(index)
      // Spread over the time in which things die.
      await sleep(150)
    }
  }),
)
await havoc
const asked = Date.now()
const isOwed = () => {
  const { queued = 0, sending = 0 } = site.jobs()
  return queued + sending > 0
}
while (isOwed() && Date.now() - asked < 120_000) await sleep(100)
const finished = Date.now()

const links = Map.groupBy(relay.mails, (mail) => mail.recipient)
let working = 0
for (const [mail] of links.values()) {
  const path = mail?.link.replace(site.url, '') ?? ''
  if ((await site.send('GET', path)) === 303) working += 1
}
const repeated = [...links.values()].filter((mails) => mails.length > 1)
const differing = repeated.filter((mails) => new Set(mails.map(({ link }) => link)).size > 1)
const unexplained = repeated.filter(
  ([first]) => !deaths.some((at) => Math.abs(at - (first?.at ?? 0)) < lostMs),
)
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
console.log(
  `${people} people asked within ${seconds(asked - started)}; ${relayDeaths} times the mail`,
)
console.log(`server died meanwhile, ${serverDeaths} times this one (kill -9)`)
console.log(
  `working links   ${working} of ${people}, the last mail ${seconds(finished - asked)} after all was well`,
)
console.log(
  `mailed twice    ${repeated.length}, of those with another link ${differing.length}, not at a death ${unexplained.length}`,
)
console.log(`jobs            ${JSON.stringify(site.jobs())}`)
await site.stop()
await relay.kill()
