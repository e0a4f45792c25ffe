import { readFileSync } from 'node:fs'
import { createTransport, type SMTPPoolOptions, type Transporter } from 'nodemailer'
import type { Config } from '../config/config.ts'
import { scrub } from '../log.ts'
import { isLoopback } from '../network.ts'
import { toMail } from './envelope.ts'
import { type Mailer, MailFailure, type Message } from './mailer.ts'

// To connect, be greeted, say hello, sign in, name the recipient and hand the mail over.
const mostWaits = 6

/** Hands mails to the site's mail server over SMTP. */
export class SmtpMailer implements Mailer {
  readonly #smtp: Config['smtp']
  readonly #transport: Transporter

  constructor(smtp: Config['smtp'], host: string) {
    this.#smtp = smtp
    this.#transport = createTransport(transportOptions(smtp, host))
  }

  async send(message: Message): Promise<void> {
    const mail = toMail(message, this.#smtp)
    // A server that drips its answers never times out by itself.
    const signal = AbortSignal.timeout(this.#smtp.timeout * mostWaits)
    try {
      await this.#transport.sendMail({ ...mail, signal })
    } catch (error) {
      throw toFailure(error)
    }
  }

  async check(): Promise<void> {
    try {
      await this.#transport.verify()
    } catch (error) {
      throw toFailure(error)
    }
  }

  async close(): Promise<void> {
    this.#transport.close({ force: true })
  }
}

/** How nodemailer is to talk to a host. */
export function transportOptions(
  smtp: Config['smtp'],
  host: string,
): SMTPPoolOptions & { pool: true } {
  const { ca, rejectUnauthorized } = smtp.tls
  // On this machine nobody stands in between: TLS is used where offered, whoever signed it.
  const isLocal = isLoopback(host)
  return {
    pool: true,
    maxConnections: smtp.pool,
    host,
    port: smtp.port,
    secure: smtp.secure,
    requireTLS: !smtp.secure && !isLocal,
    ...(smtp.user === null ? {} : { auth: { user: smtp.user, pass: smtp.pass ?? '' } }),
    tls: {
      minVersion: 'TLSv1.2',
      rejectUnauthorized: rejectUnauthorized ?? !isLocal,
      ...(ca === null ? {} : { ca: readFileSync(ca) }),
    },
    connectionTimeout: smtp.timeout,
    greetingTimeout: smtp.timeout,
    socketTimeout: smtp.timeout,
    dnsTimeout: smtp.timeout,
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

// RFC 5321 §4.2.1: 5yz is a permanent refusal; everything else, a broken connection too, may pass.
function toFailure(error: unknown): MailFailure {
  const { code, responseCode, message } = error as Error & { code?: string; responseCode?: number }
  const isFinal = responseCode !== undefined && responseCode >= 500
  const status = [code, responseCode].filter((part) => part !== undefined).join(' ')
  return new MailFailure(`The mail server: ${status} ${scrub(message)}`, { isFinal })
}
