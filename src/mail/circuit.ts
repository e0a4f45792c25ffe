import { describeError, type Log } from '../log.ts'
import type { Milliseconds } from '../units.ts'
import { type Mailer, MailFailure, type Message } from './mailer.ts'

const longestWaitMs = 30_000

interface CircuitOptions {
  /** What the owner calls the server, for the log. */
  readonly server: string
  /** Before the first question whether it is back; the later ones come less and less often. */
  readonly firstWaitMs: Milliseconds
  /** Between two sign-ins once one was refused: more of them could lock the site's account at its provider. */
  readonly signInWaitMs: Milliseconds
  readonly log: Log
}

/**
 * A mail server that is left alone while it cannot be used: the first failure that every mail would have met
 * opens the circuit, and from then on it is only asked now and then whether it is back. So a dead server costs
 * no mail any of its tries, and the mails go out as soon as it lives.
 */
export class Circuit implements Mailer {
  readonly #mailer: Mailer
  readonly #server: string
  readonly #firstWaitMs: Milliseconds
  readonly #signInWaitMs: Milliseconds
  readonly #log: Log
  #probe: NodeJS.Timeout | null = null
  #isClosing = false

  constructor(mailer: Mailer, { server, firstWaitMs, signInWaitMs, log }: CircuitOptions) {
    this.#mailer = mailer
    this.#server = server
    this.#firstWaitMs = firstWaitMs
    this.#signInWaitMs = signInWaitMs
    this.#log = log
  }

  isReady(): boolean {
    return this.#probe === null
  }

  async send(message: Message): Promise<void> {
    try {
      await this.#mailer.send(message)
    } catch (failure) {
      if (failure instanceof MailFailure && failure.isOfServer) this.#open(failure)
      throw failure
    }
    this.#shut()
  }

  check(): Promise<void> {
    return this.#mailer.check()
  }

  close(): Promise<void> {
    this.#isClosing = true
    if (this.#probe !== null) clearTimeout(this.#probe)
    return this.#mailer.close()
  }

  #open(failure: MailFailure): void {
    // What the end breaks off tells nothing of the server.
    if (!this.isReady() || this.#isClosing) return
    const advice = failure.kind === 'sign-in' ? ': it does not accept smtp.user and smtp.pass' : ''
    this.#log.error(
      { server: this.#server, error: describeError(failure) },
      `the mail server cannot be used${advice}`,
    )
    this.#probeAfter(failure, this.#firstWaitMs)
  }

  #shut(): void {
    if (this.#probe === null) return
    clearTimeout(this.#probe)
    this.#probe = null
    this.#log.warn({ server: this.#server }, 'the mail server can be used again')
  }

  #probeAfter({ kind }: MailFailure, usualMs: Milliseconds): void {
    const waitMs = kind === 'sign-in' ? this.#signInWaitMs : usualMs
    // Several processes that lost the same server must not all come back to it at once.
    const jitteredMs = waitMs * (1 + Math.random() / 4)
    const probe = setTimeout(() => {
      this.check().then(
        () => this.#shut(),
        (failure: MailFailure) => {
          const isOver = this.#isClosing || this.#probe !== probe
          if (!isOver) this.#probeAfter(failure, Math.min(waitMs * 2, longestWaitMs))
        },
      )
    }, jitteredMs).unref()
    this.#probe = probe
  }
}
