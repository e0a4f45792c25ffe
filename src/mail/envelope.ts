import { readFileSync } from 'node:fs'
import type { SendMailOptions, TransportOptions } from 'nodemailer'
import { domainOf, parseAddress } from '../address.ts'
import type { Smtp } from '../config/config.ts'
import { MailFailure, type Message } from './mailer.ts'
import { toSource } from './mime.ts'

/** A message as nodemailer hands it over: it may still be signed. */
export interface Mail {
  readonly envelope: NonNullable<SendMailOptions['envelope']>
  /** Its headers and parts (RFC 5322). */
  readonly raw: Buffer
}

/**
 * A message as nodemailer takes it. Every address is an object, in the envelope too: in a string, a comma
 * or a line break would name a second recipient.
 *
 * @throws {MailFailure} when the stored address is not one person's mailbox.
 */
export function toMail(message: Message, smtp: Smtp): Mail {
  if (parseAddress(message.to) !== message.to) {
    throw new MailFailure('refused', 'The stored address cannot be mailed to')
  }
  const from = { name: '', address: smtp.returnPath }
  const to = [{ name: '', address: message.to }]
  return { envelope: { from, to }, raw: toSource(describe(message, smtp)) }
}

function describe(message: Message, { from, replyTo, headers }: Smtp): SendMailOptions {
  return {
    from: { name: from.name, address: from.email },
    to: { name: '', address: message.to },
    ...(replyTo === null ? {} : { replyTo: { name: '', address: replyTo } }),
    messageId: `<${message.id}@${domainOf(from.email)}>`,
    subject: message.subject,
    text: message.text,
    html: message.html,
    headers: {
      ...headers,
      // RFC 3834 §5: no out-of-office answers to this; the second is Exchange's name for the same.
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'Content-Language': message.language,
    },
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

/** The part of a transport's options that has its mails signed (RFC 6376), once with each key. */
export function signing({ dkim }: Smtp): Pick<TransportOptions, 'dkim'> {
  if (dkim.length === 0) return {}
  const keys = dkim.map(({ domain, selector, key }) => ({
    domainName: domain,
    keySelector: selector,
    privateKey: readFileSync(key, 'utf8'),
  }))
  return { dkim: { keys } }
}
