import type { AddressInfo } from 'node:net'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { eventually } from './wait.ts'

/** A mail as it arrived: the SMTP envelope and the message. */
export interface Received {
  readonly envelopeFrom: string
  readonly recipients: readonly string[]
  readonly raw: string
  readonly mail: Email
}

/** What the server says instead of taking a mail. */
export interface Refusal {
  readonly code: number
  readonly at: 'connect' | 'rcpt' | 'data'
}

/** A real SMTP server on this machine that keeps what it is given. */
export class SmtpSink {
  readonly mails: Received[] = []
  /** Refusals for the next mails, used up one by one. */
  readonly refusals: Refusal[] = []
  #server: SMTPServer | null = null
  #port = 0

  get port(): number {
    return this.#port
  }

  static async start(options: SMTPServerOptions = {}): Promise<SmtpSink> {
    const sink = new SmtpSink()
    await sink.listen(0, options)
    return sink
  }

  async listen(port: number = this.#port, options: SMTPServerOptions = {}): Promise<void> {
    const server = new SMTPServer({
      authOptional: true,
      disableReverseLookup: true,
      logger: false,
      onConnect: (_session, done) => done(this.#refusal('connect')),
      onRcptTo: (_address, _session, done) => done(this.#refusal('rcpt')),
      onData: (stream, session, done) => {
        const chunks: Buffer[] = []
        stream.on('data', (chunk: Buffer) => chunks.push(chunk))
        stream.on('end', () => {
          const refusal = this.#refusal('data')
          if (refusal) return done(refusal)
          const { mailFrom, rcptTo } = session.envelope
          this.#keep(Buffer.concat(chunks).toString('utf8'), {
            envelopeFrom: mailFrom ? mailFrom.address : '',
            recipients: rcptTo.map((recipient) => recipient.address),
          }).then(() => done(), done)
        })
      },
      ...options,
    })
    server.on('error', () => {})
    server.server.on('connection', () => setImmediate(() => greetAll(server)))
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    this.#port = (server.server.address() as AddressInfo).port
    this.#server = server
  }

  /** The mails to one address, once there are `count`. */
  async to(address: string, count = 1): Promise<Received[]> {
    return eventually(() => {
      const found = this.mails.filter((mail) => mail.recipients.includes(address))
      return found.length >= count ? found : null
    })
  }

  async stop(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (server === null) return
    const closed = new Promise<void>((resolve) => server.close(resolve))
    // A client keeps its connection for the next mail: it is let go of between two of them.
    const timer = setInterval(() => leaveIdle(server), 5)
    await closed
    clearInterval(timer)
  }

  async #keep(raw: string, envelope: Pick<Received, 'envelopeFrom' | 'recipients'>) {
    this.mails.push({ ...envelope, raw, mail: await PostalMime.parse(raw) })
  }

  #refusal(at: Refusal['at']): (Error & { responseCode: number }) | null {
    if (this.refusals[0]?.at !== at) return null
    const refusal = this.refusals.shift()
    return refusal === undefined
      ? null
      : Object.assign(new Error(`refused ${at}`), { responseCode: refusal.code })
  }
}

/** Greets at once: smtp-server listens for a tenth of a second whether a client talks before its turn. */
function greetAll({ connections }: SMTPServer): void {
  for (const connection of connections) {
    connection.connectionReady()
    connection.connectionReady = () => {}
  }
}

function leaveIdle({ connections }: SMTPServer): void {
  for (const connection of connections) {
    if (!connection.session.envelope?.mailFrom) connection.close()
  }
}

/** The first link with a token in a mail's text. */
export function linkIn(received: Received | undefined): string {
  const link = /https?:\/\/\S+\?token=[A-Za-z0-9_-]+/.exec(received?.mail.text ?? '')?.[0]
  if (link === undefined) throw new Error('The mail has no link')
  return link
}

/** The code that a mail holds, on a line of its own. */
export function codeIn(received: Received | undefined): string {
  const [code] = /^\d{6,10}$/m.exec(received?.mail.text ?? '') ?? []
  if (code === undefined) throw new Error('The mail has no code')
  return code
}
