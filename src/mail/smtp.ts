import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTransport, type SMTPPoolOptions, type Transporter } from 'nodemailer'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { Relay, Smtp } from '../config/config.ts'
import { scrub } from '../log.ts'
import { isLoopback } from '../network.ts'
import { signing, toMail } from './envelope.ts'
import {
  type FailureKind,
  type Listener,
  type Mailer,
  MailFailure,
  type Message,
} from './mailer.ts'
import { offerSender, senderTrial } from './sender-trial.ts'

// Whoever gives up while a server is still taking the mail makes it take the mail twice (RFC 5321
// §4.5.3.2.6): an answer may take longer than a connection.
const answerWaits = 3
// To connect, be greeted, and two long answers: one that drips its answers never times out by itself.
const mostWaits = 8

/** Hands mails to one mail server over SMTP. */
export class SmtpMailer implements Mailer {
  readonly #smtp: Smtp
  readonly #options: TransportOptions
  /** What a server may repeat that was told it, in every form in which it was told. */
  readonly #secrets: readonly string[]
  readonly #transport: Transporter

  /** @param listen Told each line of the conversation, without what is secret in it; default: nobody is. */
  constructor(smtp: Smtp, relay: Relay, listen: Listener | null = null) {
    this.#smtp = smtp
    this.#options = {
      ...transportOptions(smtp, relay),
      ...(listen === null ? {} : { logger: overhear(listen), transactionLog: true }),
    }
    this.#secrets = secretsOf(relay)
    this.#transport = createTransport(this.#options)
  }

  isReady(): boolean {
    return true
  }

  async send(message: Message): Promise<void> {
    const mail = toMail(message, this.#smtp)
    const signal = AbortSignal.timeout(this.#smtp.timeout * mostWaits)
    try {
      await this.#transport.sendMail({ ...mail, signal })
    } catch (error) {
      throw toFailure(error, this.#secrets)
    }
  }

  check(): Promise<void> {
    return this.#converse((connection) => this.#signIn(connection))
  }

  checkSender(): Promise<void> {
    return this.#converse(async (connection) => {
      await this.#signIn(connection)
      await offerSender(connection, this.#smtp.returnPath)
    })
  }

  async #converse(work: (connection: SMTPConnection) => Promise<void>): Promise<void> {
    const connection = new SMTPConnection({ ...this.#options, ...senderTrial })
    // One that drips its answers would keep whoever asks waiting for the last of them.
    const tooLong = sleep(this.#smtp.timeout * answerWaits, undefined, { ref: false })
    try {
      await Promise.race([work(connection), tooLong.then(throwTooLong)])
      connection.quit()
    } catch (error) {
      connection.close()
      throw toFailure(error, this.#secrets)
    }
  }

  async close(): Promise<void> {
    this.#transport.close({ force: true })
  }

  #signIn(connection: SMTPConnection): Promise<void> {
    const { auth } = this.#options
    return new Promise((resolve, reject) => {
      const settle = (error?: Error | null) => (error ? reject(error) : resolve())
      connection.on('error', reject)
      connection.connect((error?: Error | null) => {
        if (error || auth === undefined || !connection.allowsAuth) settle(error)
        else connection.login(auth, settle)
      })
    })
  }
}

function throwTooLong(): never {
  throw new Error('It takes too long to answer')
}

type TransportOptions = SMTPPoolOptions & { pool: true }

/** How nodemailer is to talk to a server. */
export function transportOptions(smtp: Smtp, relay: Relay): TransportOptions {
  const { host, port, secure, user, pass, clientName } = relay
  const { ca, rejectUnauthorized } = relay.tls
  // On this machine nobody stands in between: TLS is used where offered, whoever signed it.
  const isLocal = isLoopback(host)
  const starttls = relay.starttls ?? (isLocal ? 'offered' : 'required')
  return {
    ...{ pool: true, maxConnections: smtp.pool, host, port, secure },
    requireTLS: !secure && starttls === 'required',
    ignoreTLS: !secure && starttls === 'never',
    ...(user === null ? {} : { auth: { user, pass: pass ?? '' } }),
    ...(clientName === null ? {} : { name: clientName }),
    tls: {
      minVersion: 'TLSv1.2',
      rejectUnauthorized: rejectUnauthorized ?? !isLocal,
      ...(ca === null ? {} : { ca: readFileSync(ca) }),
    },
    connectionTimeout: smtp.timeout,
    greetingTimeout: smtp.timeout,
    dnsTimeout: smtp.timeout,
    socketTimeout: smtp.timeout * answerWaits,
    ...signing(smtp),
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

interface SmtpError extends Error {
  readonly code?: string
  readonly responseCode?: number
  readonly command?: string
}

/**
 * A failure of nodemailer's as the courier tells them apart.
 *
 * @param secrets What must not be told; default: nothing was.
 */
function toFailure(error: unknown, secrets: readonly string[] = []): MailFailure {
  if (error instanceof MailFailure) return error
  const { code, responseCode, message } = error as SmtpError
  const status = [code, responseCode].filter((part) => part !== undefined).join(' ')
  const told = secrets.reduce((text, secret) => text.replaceAll(secret, '***'), message)
  return new MailFailure(kindOf(error as SmtpError), `The mail server: ${status} ${scrub(told)}`)
}

function secretsOf({ user, pass }: Relay): readonly string[] {
  if (user === null || pass === null) return []
  const texts = [`\0${user}\0${pass}`, pass, user]
  const encoded = texts.map((text) => Buffer.from(text).toString('base64'))
  return [...encoded, pass].filter((text) => text !== '')
}

function kindOf({ code, responseCode, command = '' }: SmtpError): FailureKind {
  const isTemporary = responseCode !== undefined && responseCode < 500
  // RFC 4954 §6: 530 asks for the sign-in that it has not seen.
  const isSignIn = code === 'EAUTH' || command.startsWith('AUTH') || responseCode === 530
  if (isSignIn) return isTemporary ? 'unreachable' : 'sign-in'
  // RFC 5321 §3.8: with 421 the server leaves, whatever it was told.
  const isAboutMail = code === 'EENVELOPE' || code === 'EMESSAGE'
  if (responseCode === 421 || !isAboutMail) return 'unreachable'
  // 503 tells that the session went wrong; on another it may do.
  return isTemporary || responseCode === 503 ? 'later' : 'refused'
}

// Anything else that a client says is an answer to a question about its password.
const commands = /^(?:EHLO|HELO|STARTTLS|AUTH|MAIL|RCPT|DATA|BDAT|RSET|NOOP|QUIT)\b/i

/** nodemailer's log, of which only the conversation is passed on. */
function overhear(listen: Listener): object {
  const debug = ({ tnx }: { tnx?: string }, message: string) => {
    if (tnx !== 'client' && tnx !== 'server') return
    for (const line of message.split(/\r?\n/)) listen(tnx, tnx === 'client' ? masked(line) : line)
  }
  const ignore = () => {}
  return { debug, trace: ignore, info: ignore, warn: ignore, error: ignore, fatal: ignore }
}

function masked(line: string): string {
  if (/^AUTH\b/i.test(line)) return line.split(' ').slice(0, 2).join(' ')
  return commands.test(line) ? line : '***'
}
