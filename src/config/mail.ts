import { z } from 'zod'
import type { Parsed } from './config.ts'
import { duration, hostName, oneLimit, port, smtpUrl, text } from './values.ts'

const flag = z.boolean('must be true or false')
const quoted = z.string('must be text: quote it').nullable().default(null)
const file = z.string('must be a file').nullable().default(null)
const address = z.email('must be an e-mail address').nullable().default(null)

const tlsKeys = {
  ca: file.describe(
    'A PEM file with the authority that signed the server; null: those that Node trusts.',
  ),
  rejectUnauthorized: flag
    .nullable()
    .default(null)
    .describe(
      'false accepts any certificate: only ever for a test. null: false on this machine, else true.',
    ),
}

/** How a mail server is reached. */
const relayKeys = {
  url: smtpUrl
    .nullable()
    .default(null)
    .describe(
      'host, port, secure, user and pass in one: smtp://user:password@host:587, or smtps:// for TLS from the first byte. null: as those say.',
    ),
  host: hostName
    .nullable()
    .default(null)
    .describe('The mail server. null: mails are kept in data/mailbox and shown at /dev/mailbox.'),
  port: port.default(587).describe('587 with STARTTLS, or 465 with secure: true.'),
  secure: flag
    .default(false)
    .describe(
      'true: TLS from the first byte. false: STARTTLS, required unless the host is this machine.',
    ),
  starttls: z
    .enum(['required', 'offered', 'never'], 'must be required, offered or never')
    .nullable()
    .default(null)
    .describe(
      'required: nothing is sent without TLS. offered: TLS if the server offers it, which whoever stands between can ' +
        'prevent: for networks of your own. never: for servers whose STARTTLS is broken. null: required, on this machine offered.',
    ),
  user: quoted.describe('The name to sign in with; null: no sign-in.'),
  pass: quoted.describe(
    'Its password: ${SMTP_PASS}, or FORGOT_SMTP__PASS_FILE, keeps it out of this file.',
  ),
  tls: z.strictObject(tlsKeys).prefault({}),
  clientName: hostName
    .nullable()
    .default(null)
    .describe('The name to introduce this machine with (EHLO); null: the one it has.'),
}

const fallback = z.strictObject({
  ...undescribed(relayKeys),
  tls: z.strictObject(undescribed(tlsKeys)).prefault({}),
  host: hostName
    .nullable()
    .default(null)
    .meta({ examples: ['backup.example'] }),
})

const dkimKey = z.strictObject({
  selector: z
    .string('must be a selector, such as mail2026')
    .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'must be a selector, such as mail2026')
    .describe('The public key is in the DNS at <selector>._domainkey.<domain>.')
    .meta({ examples: ['mail2026'] }),
  key: text('must be a file')
    .describe(
      'A PEM file with an RSA private key of 2048 bits; 1024 are the least (RFC 8301 §3.2).',
    )
    .meta({ examples: ['/etc/forgot-password/dkim.pem'] }),
  domain: hostName
    .nullable()
    .default(null)
    .describe('The domain that signs; null: that of smtp.from.email.'),
})

// They decide who is mailed, what it says, or what the signature stands for.
const ownHeaders =
  /^(?:from|sender|to|cc|bcc|reply-to|return-path|subject|date|message-id|received|mime-version|content-.*|dkim-.*|arc-.*|resent-.*|auto-submitted|x-auto-response-suppress)$/i

const headers = z
  .record(
    z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9-]*$/, 'must be the name of a header')
      .refine((name) => !ownHeaders.test(name), 'is set by this module'),
    z
      .string('must be text: quote it')
      .regex(/^[\x20-\x7e]{1,900}$/, 'must be up to 900 printable ASCII characters on one line'),
  )
  .prefault({})

const domainLimits = z
  .record(
    z
      .string()
      .regex(
        /^(?:\*|[a-z0-9-]+(?:\.[a-z0-9-]+)+)$/,
        'must be a domain in lower case, or * for every other one',
      ),
    oneLimit,
  )
  .prefault({})

/** `smtp:` */
export const smtp: z.ZodType<Parsed['smtp']> = z.strictObject({
  ...relayKeys,
  fallback: fallback
    .nullable()
    .default(null)
    .describe(
      'Another mail server, with keys of the same names, for while the first cannot be used; null: none.',
    ),
  sendmail: file.describe(
    'A program that takes mails as sendmail does, such as /usr/sbin/sendmail, instead of a mail server; null: none.',
  ),
  from: z
    .strictObject({
      name: z
        .string('must be text')
        .nullable()
        .default(null)
        .describe('The sender people see; null: site.name.'),
      email: address.describe(
        'The sender address, one that your mail server may send for. null: no-reply@ the host of site.url.',
      ),
    })
    .prefault({}),
  replyTo: address.describe('Where answers go; null: to the sender.'),
  returnPath: address.describe(
    'Where mail servers report what they cannot deliver (MAIL FROM); null: to smtp.from.email.',
  ),
  headers: headers.describe('More headers of every mail, such as X-Site: library.'),
  dkim: z
    .union([dkimKey, z.array(dkimKey)], 'must be a selector and a key, or a list of them')
    .nullable()
    .default(null)
    .describe('Signs each mail (RFC 6376), once for each key; null: your mail server does.'),
  timeout: duration('100ms', '2m')
    .prefault('10s')
    .describe(
      'The longest wait for the mail server to connect and to greet; it may take three times that for an answer to anything else.',
    ),
  pool: z
    .int('must be a whole number')
    .min(1, 'must be 1 or more')
    .max(20, 'must be 20 or less')
    .default(2)
    .describe('Connections kept open, and so mails sent at a time.'),
  limit: oneLimit
    .prefault('off')
    .describe('How many mails the mail server may be given, such as 30/1m; the others wait.'),
  domainLimits: domainLimits.describe(
    'The same for one domain of recipients, such as outlook.com: 20/1m; * is for every other one.',
  ),
})

/** `mail:` */
export const mail: z.ZodType<Parsed['mail']> = z.strictObject({
  retries: z
    .array(duration('1ms', '24h'))
    .max(20, 'must be 20 waits or fewer')
    .prefault(['5s', '30s', '2m', '5m'])
    .describe(
      'Waits before each new try of a mail that was not accepted, a little more at random; the last is repeated. A 5xx is final; nothing is mailed after its link has expired.',
    ),
  notifyChanged: flag
    .default(true)
    .describe('Tell the account that its password was changed (OWASP ASVS 6.3.7).'),
})

/** The same keys without their meaning: it stands where they are used first. */
function undescribed<Keys extends Record<string, z.ZodType>>(keys: Keys): Keys {
  const plain = Object.entries(keys).map(([name, key]) => [
    name,
    key.meta({ ...key.meta(), description: undefined }),
  ])
  return Object.fromEntries(plain) as Keys
}
