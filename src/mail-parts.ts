import { join } from 'node:path'
import type { Config } from './config/config.ts'
import type { Events } from './events.ts'
import { StoreLimiter } from './limit/limiter.ts'
import { silentLog } from './log.ts'
import { Circuit } from './mail/circuit.ts'
import { Courier } from './mail/courier.ts'
import { Mailbox } from './mail/mailbox.ts'
import type { Listener, Mailer } from './mail/mailer.ts'
import { Pace, paceLimits } from './mail/pace.ts'
import { Relays } from './mail/relays.ts'
import { Sendmail } from './mail/sendmail.ts'
import { SmtpMailer } from './mail/smtp.ts'
import { AccountWriter } from './mail/writer.ts'
import type { Metrics } from './metrics.ts'
import type { Opened } from './opened.ts'
import type { Core, Overrides } from './parts.ts'

// Which implementations mails leave by: with parts.ts and wire.ts, the only place that knows which there are.

/** Something that takes mails, and what its owner calls it. */
export interface MailServer {
  readonly name: string
  readonly mailer: Mailer
}

/**
 * Everything that mails can be handed to, in the order in which it is tried.
 *
 * @param listen Told what is said with a mail server; default: nobody is.
 */
export function openMailServers(
  { smtp, dataDir, hasMailbox }: Config,
  listen: Listener | null = null,
): readonly MailServer[] {
  const folder = join(dataDir, 'mailbox')
  if (hasMailbox) return [{ name: folder, mailer: new Mailbox(smtp, folder) }]
  const { sendmail, relays } = smtp
  if (sendmail !== null) return [{ name: sendmail, mailer: new Sendmail(smtp, sendmail) }]
  return relays.map((relay) => ({
    name: `${relay.host}:${relay.port}`,
    mailer: new SmtpMailer(smtp, relay, listen),
  }))
}

/**
 * What mails are handed to, as one.
 *
 * @param guard Put around each server; default: nothing.
 */
export function openMailer(
  config: Config,
  guard: (server: MailServer) => Mailer = ({ mailer }) => mailer,
): Mailer {
  const mailers = openMailServers(config).map(guard)
  const [only = new Relays(mailers)] = mailers.length === 1 ? mailers : []
  return only
}

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
