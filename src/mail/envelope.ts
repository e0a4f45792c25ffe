import type { SendMailOptions } from 'nodemailer'
import { domainOf, parseAddress } from '../address.ts'
import type { Config } from '../config/config.ts'
import { MailFailure, type Message } from './mailer.ts'

/**
 * A message as nodemailer takes it. Every address is an object, in the envelope too: in a string, a comma
 * or a line break would name a second recipient.
 *
 * @throws {MailFailure} when the stored address is not one person's mailbox.
 */
export function toMail(message: Message, { from, replyTo }: Config['smtp']): SendMailOptions {
  if (parseAddress(message.to) !== message.to) {
    throw new MailFailure('The stored address cannot be mailed to', { isFinal: true })
  }
  const sender = { name: '', address: from.email }
  const recipient = { name: '', address: message.to }
  return {
    from: { name: from.name, address: from.email },
    to: recipient,
    ...(replyTo === null ? {} : { replyTo: { name: '', address: replyTo } }),
    envelope: { from: sender, to: [recipient] },
    messageId: `<${message.id}@${domainOf(from.email)}>`,
    subject: message.subject,
    text: message.text,
    html: message.html,
    headers: {
      // RFC 3834 §5: no out-of-office answers to this; the second is Exchange's name for the same.
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'Content-Language': message.language,
    },
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}
