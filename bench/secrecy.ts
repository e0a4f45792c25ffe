// Whether the time of an answer tells known addresses from unknown ones, while the mail server says nothing.
import { BenchSite, emailOf, percentile, route } from './site.ts'

const pairs = 400

/** How well a time tells the one from the other: 0.5 is not at all (area under the ROC curve). */
function areaUnderCurve(known: readonly number[], unknown: readonly number[]): number {
  let wins = 0
  for (const one of known) {
    for (const other of unknown) wins += one > other ? 1 : one === other ? 0.5 : 0
  }
  return wins / (known.length * unknown.length)
}

const site = await BenchSite.start(pairs + 50)
const timed = async (email: string) => {
  const started = performance.now()
  const status = await site.send('POST', route, { email })
  if (status !== 303) throw new Error(`The answer was ${status}`)
  return performance.now() - started
}
for (let index = 0; index < 50; index += 1) {
  await timed(emailOf(pairs + index))
  await timed(`warm-${index}@site.example`)
}
const known: number[] = []
const unknown: number[] = []
for (let index = 0; index < pairs; index += 1) {
  const ask = [
    async () => known.push(await timed(emailOf(index))),
    async () => unknown.push(await timed(`nobody-${index}@site.example`)),
  ]
  // In an order that nobody could have learnt.
  if (Math.random() < 0.5) ask.reverse()
  for (const each of ask) await each()
}
const line = (name: string, values: readonly number[]) =>
  `${name.padEnd(8)} p50 ${percentile(values, 0.5).toFixed(2)} ms   p99 ${percentile(values, 0.99).toFixed(2)} ms`
console.log(line('known', known))
console.log(line('unknown', unknown))
console.log(`AUC      ${areaUnderCurve(known, unknown).toFixed(3)} (0.45 to 0.55 is wanted)`)
await site.stop()
