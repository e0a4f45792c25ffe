// All figures in one run: `npm run bench`. docs/performance.md tells what they mean.
import { fileURLToPath } from 'node:url'
import { measureCalm } from './calm.ts'
import { measureGrowth } from './growth.ts'
import { measureMails } from './mails.ts'
import { measurePasswords } from './passwords.ts'
import { Report } from './report.ts'
import { measureRequests } from './requests.ts'
import { measureSecrecy } from './secrecy.ts'
import { measureStart, megabytes } from './start.ts'

const eachForMs = 4000
const parts: Readonly<Record<string, (report: Report) => Promise<void>>> = {
  start: measureStart,
  requests,
  passwords: measurePasswords,
  calm: measureCalm,
  mails: measureMails,
  secrecy: measureSecrecy,
  growth: measureGrowth,
}

async function requests(report: Report): Promise<void> {
  await measureRequests(report, eachForMs)
  const [form, known, unknown, link] = [
    report.ours('GET form', 32),
    report.ours('POST known', 32),
    report.ours('POST unknown', 32),
    report.ours('GET link', 32),
  ]
  report.atLeast('GET form, per second', form.perSecond, 15_000)
  report.atMost('GET form, p99 ms', form.p99Ms, 6)
  report.atLeast('POST known, per second', known.perSecond, 2500)
  report.atLeast('POST unknown, per second', unknown.perSecond, 2500)
  report.atMost('POST known alone, p50 ms', report.ours('POST known', 1).p50Ms, 0.6)
  report.atMost('POST unknown alone, p50 ms', report.ours('POST unknown', 1).p50Ms, 0.6)
  report.atLeast('GET link, per second', link.perSecond, 12_000)
  const cpu = form.cpuSecondsPer1000 + known.cpuSecondsPer1000 + link.cpuSecondsPer1000
  report.atMost('form, known and link, CPU s per 1000', cpu, 1.2)
  const loaded = Math.max(...[form, known, unknown, link].map((each) => each.residentMiB))
  report.atMost('resident memory when loaded, MB', megabytes(loaded), 250)
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in parts))
if (unknown.length > 0) {
  console.error(`There is no ${unknown.join(', ')}: name some of ${Object.keys(parts).join(', ')}`)
  process.exit(2)
}
const report = new Report()
for (const [name, measurePart] of Object.entries(parts)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  report.head(name)
  await measurePart(report)
}
report.finish(fileURLToPath(new URL('latest.json', import.meta.url)))
