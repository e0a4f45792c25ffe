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
    const ready = this.#relays.filter((relay) => relay.isReady())
    return firstOf(ready, (relay) => relay.send(message))
  }

  check(): Promise<void> {
    return firstOf(this.#relays, (relay) => relay.check())
  }

  async close(): Promise<void> {
    await Promise.all(this.#relays.map((relay) => relay.close()))
  }
}

/** What a mail meets is final only where every server has said so. */
async function firstOf(
  relays: readonly Mailer[],
  work: (relay: Mailer) => Promise<void>,
): Promise<void> {
  const failures: MailFailure[] = []
  for (const relay of relays) {
    try {
      return await work(relay)
    } catch (failure) {
      if (!(failure instanceof MailFailure && failure.isOfServer)) throw failure
      failures.push(failure)
    }
  }
  const failure = failures.find((each) => !each.isFinal) ?? failures[0]
  throw failure ?? new MailFailure('unreachable', 'No mail server can be used now')
}
