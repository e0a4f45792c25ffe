import { randomUUID } from 'node:crypto'
import { parseAddress } from '../address.ts'
import type { Config } from '../config/config.ts'
import { MailFailure, type Message } from '../mail/mailer.ts'
import { remedies } from '../mail/remedies.ts'
import { openMailServers } from '../mail-parts.ts'

/** What became of a mail that somebody has sent to themselves. */
export interface Sent {
  readonly isSent: boolean
  /** One sentence, or the failure and below it the remedy. */
  readonly text: string
  /** Whether what was typed is at fault. */
  readonly isTyped?: boolean
}

/** Sends one mail as people get it, but for its subject, through the first mail server. */
export async function sendTrial(config: Config, message: Message, typed: string): Promise<Sent> {
  const address = parseAddress(typed)
  if (address === null) {
    return {
      isSent: false,
      isTyped: true,
      text: 'Enter an email address in the correct format, like name@example.com.',
    }
  }
  const [server] = openMailServers(config)
  if (server === undefined) return { isSent: false, text: 'No mail server is configured.' }
  const trial = { ...message, id: randomUUID(), to: address, subject: `[Test] ${message.subject}` }
  try {
    await server.mailer.send(trial)
    const text = config.hasMailbox
      ? `The mail is kept in the mailbox, ${server.name}: nothing has left this machine.`
      : `The mail was sent: ${server.name} has taken it.`
    return { isSent: true, text }
  } catch (failure) {
    if (!(failure instanceof MailFailure)) throw failure
    return { isSent: false, text: `${failure.message}\n${remedies[failure.kind]}` }
  } finally {
    await server.mailer.close()
  }
}
