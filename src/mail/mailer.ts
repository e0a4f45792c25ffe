import { ForgotError } from '../errors.ts'
import { describeError, type Log } from '../log.ts'

/** A finished mail to one person. */
export interface Message {
  /** Names the mail for good: a second try has the same. Unique within the sender's domain. */
  readonly id: string
  /** One address, not a list and not a header: taken from the account. */
  readonly to: string
  readonly subject: string
  readonly html: string
  readonly text: string
  /** BCP 47. */
  readonly language: string
}

/** Hands mails over. */
export interface Mailer {
  /** Whether a mail is worth a try now; `false` while what takes it is known to be down. */
  isReady(): boolean
  /** @throws {MailFailure} when the mail was not accepted. */
  send(message: Message): Promise<void>
  /** Resolves when mails could be handed over now. @throws {MailFailure} otherwise. */
  check(): Promise<void>
  /** The same, and that mails may come from the configured sender; where it is left out, {@link check} tells all. */
  checkSender?(): Promise<void>
  close(): Promise<void>
}

/** Hears one line of what is said with a mail server. */
export type Listener = (from: 'client' | 'server', line: string) => void

/**
 * `unreachable`: the server could not be used at all; `sign-in`: it does not know us; `later`: it does not
 * take this mail now; `refused`: it will never take it (RFC 5321 §4.2.1).
 */
export type FailureKind = 'unreachable' | 'sign-in' | 'later' | 'refused'

/** Why a mail was not accepted, in words that hold no address. */
export class MailFailure extends ForgotError {
  readonly kind: FailureKind

  constructor(kind: FailureKind, message: string, cause?: unknown) {
    super('ERR_FORGOT_MAIL', message, { cause })
    this.kind = kind
  }

  /**
   * Whether another try of this mail is pointless. A sign-in that was refused is: trying it again and again
   * would lock the site's own account at its provider.
   */
  get isFinal(): boolean {
    return this.kind === 'refused' || this.kind === 'sign-in'
  }

  /** Whether every other mail would have met the same. */
  get isOfServer(): boolean {
    return this.kind === 'unreachable' || this.kind === 'sign-in'
  }
}

// Whoever asks whether the site is ready asks often; the mail server is not to notice.
const checkEveryMs = 10_000
// Sign-ins that are refused again and again would lock the site's account.
const signInEveryMs = 300_000

/** Whether mails can be handed over, asked of the mail server every ten seconds at most. */
export class Reachability {
  readonly #open: () => Promise<Mailer>
  #mailer: Promise<Mailer> | null = null
  #askAt = 0
  #answer: Promise<MailFailure | null> = Promise.resolve(null)

  /** @param open Opens what is asked, which is loaded only then: a start is felt. */
  constructor(open: () => Promise<Mailer>) {
    this.#open = open
  }

  /** Tells the owner when it is down: requests are taken all the same, and their mails wait. */
  async warn(log: Log): Promise<void> {
    const failure = await this.failure()
    if (failure !== null) log.warn({ error: describeError(failure) }, 'mail cannot be sent now')
  }

  /** Why no mail could be handed over now; `null` when one could. */
  failure(): Promise<MailFailure | null> {
    const now = performance.now()
    if (now >= this.#askAt) {
      this.#askAt = now + checkEveryMs
      this.#mailer ??= this.#open()
      this.#answer = this.#mailer
        .then((mailer) => mailer.check())
        .then(
          () => null,
          (failure: MailFailure) => {
            if (failure.kind === 'sign-in') this.#askAt = now + signInEveryMs
            return failure
          },
        )
    }
    return this.#answer
  }

  async close(): Promise<void> {
    await this.#mailer?.then(
      (mailer) => mailer.close(),
      () => {},
    )
  }
}
