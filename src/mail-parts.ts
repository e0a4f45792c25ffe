import type { Config } from './config/config.ts'
import { Mailbox } from './mail/mailbox.ts'
import type { Listener, Mailer } from './mail/mailer.ts'
import { Relays } from './mail/relays.ts'
import { Sendmail } from './mail/sendmail.ts'
import { SmtpMailer } from './mail/smtp.ts'

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
  config: Config,
  listen: Listener | null = null,
): readonly MailServer[] {
  const { smtp, hasMailbox } = config
  if (hasMailbox) {
    const mailer = new Mailbox(config)
    return [{ name: mailer.folder, mailer }]
  }
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
