import type { SendMailOptions } from 'nodemailer'
import { domainOf } from '../address.ts'
import type { Config } from '../config/config.ts'
import type { Message } from './mailer.ts'

/**
 * A message as nodemailer takes it. Addresses are objects and the envelope is spelt out: in a string, a
 * comma or a line break in an address would name a second recipient.
 */
export function toMail(message: Message, { from, replyTo }: Config['smtp']): SendMailOptions {
  return {
    from: { name: from.name, address: from.email },
    to: { name: '', address: message.to },
    ...(replyTo === null ? {} : { replyTo: { name: '', address: replyTo } }),
    envelope: { from: from.email, to: [message.to] },
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
