import { describeError, type Log } from '../log.ts'
import type { Milliseconds } from '../units.ts'
import { type Mailer, MailFailure, type Message } from './mailer.ts'

const longestWaitMs = 30_000

/**
 * A mail server that is left alone while it cannot be used: the first failure that every mail would have met
 * opens the circuit, and from then on it is only asked now and then whether it is back. So a dead server costs
 * no mail any of its tries, and the mails go out as soon as it lives.
 */
export class Circuit implements Mailer {
  readonly #mailer: Mailer
  readonly #server: string
  readonly #firstWaitMs: Milliseconds
  readonly #log: Log
  #probe: NodeJS.Timeout | null = null
  #isClosing = false

  /** @param server What the owner calls it, for the log. */
  constructor(
    mailer: Mailer,
    { server, firstWaitMs, log }: { server: string; firstWaitMs: Milliseconds; log: Log },
  ) {
    this.#mailer = mailer
    this.#server = server
    this.#firstWaitMs = firstWaitMs
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
    this.#probeIn(this.#firstWaitMs)
  }

  #shut(): void {
    if (this.#probe === null) return
    clearTimeout(this.#probe)
    this.#probe = null
    this.#log.warn({ server: this.#server }, 'the mail server can be used again')
  }

  #probeIn(waitMs: Milliseconds): void {
    // Several processes that lost the same server must not all come back to it at once.
    const jitteredMs = waitMs * (1 + Math.random() / 4)
    const probe = setTimeout(() => {
      this.check().then(
        () => this.#shut(),
        () => {
          const isOver = this.#isClosing || this.#probe !== probe
          if (!isOver) this.#probeIn(Math.min(waitMs * 2, longestWaitMs))
        },
      )
    }, jitteredMs).unref()
    this.#probe = probe
  }
}
