import { type Mailer, MailFailure, type Message } from './mailer.ts'

/** Several mail servers as one: the first that can be used gets the mail. */
export class Relays implements Mailer {
  readonly #relays: readonly Mailer[]

  /** @param relays In the order in which they are tried. */
  constructor(relays: readonly Mailer[]) {
    this.#relays = relays
  }

  isReady(): boolean {
    return this.#relays.some((relay) => relay.isReady())
  }

  send(message: Message): Promise<void> {
    return this.#firstOf((relay) => {
      if (relay.isReady()) return relay.send(message)
      throw new MailFailure('unreachable', 'The mail server cannot be used now')
    })
  }

  check(): Promise<void> {
    return this.#firstOf((relay) => relay.check())
  }

  async close(): Promise<void> {
    await Promise.all(this.#relays.map((relay) => relay.close()))
  }

  /** What a mail meets is final only where every server has said so. */
  async #firstOf(work: (relay: Mailer) => Promise<void>): Promise<void> {
    const failures: MailFailure[] = []
    for (const relay of this.#relays) {
      try {
        return await work(relay)
      } catch (failure) {
        if (!(failure instanceof MailFailure && failure.isOfServer)) throw failure
        failures.push(failure)
      }
    }
    throw failures.find((each) => !each.isFinal) ?? failures[0]
  }
}
