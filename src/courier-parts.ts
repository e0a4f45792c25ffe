import type { Config } from './config/config.ts'
import type { Events } from './events.ts'
import { StoreLimiter } from './limit/limiter.ts'
import { silentLog } from './log.ts'
import { Circuit } from './mail/circuit.ts'
import { Courier } from './mail/courier.ts'
import { Pace, paceLimits } from './mail/pace.ts'
import { AccountWriter } from './mail/writer.ts'
import { openMailer } from './mail-parts.ts'
import type { Metrics } from './metrics.ts'
import type { Opened } from './opened.ts'
import type { Core, Overrides } from './parts.ts'

/** Where a courier tells what it has done. */
export interface CourierReports {
  readonly events: Events
  readonly metrics: Pick<Metrics, 'countMail'>
}

export function makeCourier(
  config: Config,
  { log = silentLog }: Overrides,
  core: Core,
  { events, metrics }: CourierReports,
  opened: Opened,
): Courier {
  const { clock, keys, locales, store, templates, users } = core
  const { resets, jobs } = store
  const [firstWaitMs = longestFirstWaitMs] = config.mail.retries
  const signInWaitMs = config.mail.retries.at(-1) ?? longestFirstWaitMs
  return new Courier({
    jobs,
    writer: new AccountWriter({ config, clock, keys, jobs, resets, users, locales, templates }),
    mailer: opened.add(
      openMailer(config, ({ mailer, name }) => {
        const waits = { firstWaitMs: Math.min(firstWaitMs, longestFirstWaitMs), signInWaitMs }
        return new Circuit(mailer, { ...waits, server: name, log })
      }),
    ),
    pace: makePace(config, core),
    ...{ clock, log, events, metrics },
    retriesMs: config.mail.retries,
    connections: config.smtp.pool,
  })
}

// A server that is only being restarted is back within seconds.
const longestFirstWaitMs = 1000

function makePace({ smtp }: Config, { clock, store }: Core): Pace | null {
  const limits = paceLimits(smtp)
  return limits && new Pace(new StoreLimiter(store.counters, clock, limits), smtp)
}
