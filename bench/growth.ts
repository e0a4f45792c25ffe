import { drive, expectStatus, wire } from './driver.ts'
import type { Report } from './report.ts'
import { usual, visitor } from './requests.ts'
import { seedLinks, seedPast } from './seed.ts'
import { BenchSite, emailOf, route } from './site.ts'
import { median } from './start.ts'

const sizes = [1000, 10_000, 100_000, 1_000_000] as const
const rounds = 7
const sliceMs = 400
const linksEachRound = 300
const warmUp = 1

/** So many recoveries of the past day, so many accounts: what is asked and opened by turns, so that all meet the same machine. */
export async function measureGrowth(report: Report): Promise<void> {
  const sites = []
  for (const size of sizes) {
    // Whose link is opened does not ask meanwhile: that would replace it.
    const links = Math.min(size / 2, linksEachRound * (rounds + warmUp))
    const site = await BenchSite.prepare(size, usual)
    const tokens = await seedLinks(site, 0, links)
    seedPast(site, size - links)
    await site.run()
    sites.push({ size, site, tokens, asks: [] as number[], opens: [] as number[] })
  }
  let index = 0
  for (let round = 0; round < rounds + warmUp; round += 1) {
    for (const { size, site, tokens, asks, opens } of sites) {
      const ask = () => {
        index += 1
        return wire(
          'POST',
          route,
          { email: emailOf(tokens.length + (index % (size - tokens.length))) },
          visitor(index),
        )
      }
      const asked = await drive(site.port, { connections: 32, forMs: sliceMs, next: ask })
      expectStatus(asked, 303)
      let at = 0
      const open = () => {
        if (at >= linksEachRound) return null
        at += 1
        index += 1
        const token = tokens[(round * linksEachRound + at) % tokens.length]
        return wire('GET', `${route}?token=${token}`, null, visitor(index))
      }
      const opened = await drive(site.port, { connections: 32, next: open })
      expectStatus(opened, 303)
      if (round < warmUp) continue
      asks.push(asked.perSecond)
      opens.push(opened.perSecond)
    }
  }
  const [first] = sites
  for (const { size, asks, opens } of sites) {
    const [ask, open] = [median(asks), median(opens)]
    const [ofAsk, ofOpen] = [ask / median(first?.asks ?? []), open / median(first?.opens ?? [])]
    report.tell(
      `${size.toLocaleString('en')} rows`,
      `POST ${Math.round(ask)}/s (${ofAsk.toFixed(2)}), GET link ${Math.round(open)}/s (${ofOpen.toFixed(2)})`,
      { ask, open },
    )
    if (size === sizes.at(-1)) {
      report.atLeast('POST at 10^6 rows, of that at 10^3', ofAsk, 0.9)
      report.atLeast('GET link at 10^6 rows, of that at 10^3', ofOpen, 0.9)
    }
  }
  await Promise.all(sites.map(({ site }) => site.stop()))
}
