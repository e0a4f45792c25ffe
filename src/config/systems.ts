import { z } from 'zod'
import type { Parsed } from './config.ts'
import { duration, hookUrl, networks, networksRule, sqlName, text } from './values.ts'

const port = z
  .int('must be a port, 1 to 65535')
  .min(1, 'must be a port, 1 to 65535')
  .max(65_535, 'must be a port, 1 to 65535')

/** `server:` */
export const server: z.ZodType<Parsed['server']> = z.strictObject({
  host: text('must be an address to listen on')
    .default('127.0.0.1')
    .describe(
      'The address to listen on. 127.0.0.1 is reached through a proxy on this machine only.',
    ),
  port: port.default(3000).describe('The TCP port to listen on.'),
  trustProxy: z
    .union([z.boolean(), networks], networksRule)
    .default(false)
    .describe(
      'Which proxies may say who the client is (X-Forwarded-For): false for none, or their addresses, such as ' +
        '127.0.0.1 or 10.0.0.0/8, 10.1.0.0/16. true trusts whoever connects, and with it any address a visitor ' +
        'makes up. Wrong here means that visitors share, or choose, their rate limit.',
    ),
})

/** `smtp:` */
export const smtp: z.ZodType<Parsed['smtp']> = z.strictObject({
  host: text('must be the name of your mail server')
    .nullable()
    .default(null)
    .describe('The mail server. null: mails are kept in data/mailbox and shown at /dev/mailbox.'),
  port: port.default(587).describe('587 with STARTTLS, or 465 with secure: true.'),
  secure: z
    .boolean('must be true or false')
    .default(false)
    .describe(
      'true: TLS from the first byte. false: STARTTLS, required unless the host is this machine.',
    ),
  user: z
    .string('must be text: quote it')
    .nullable()
    .default(null)
    .describe('The name to sign in with; null: no sign-in.'),
  pass: z
    .string('must be text: quote it')
    .nullable()
    .default(null)
    .describe('Its password: ${SMTP_PASS}, or FORGOT_SMTP__PASS_FILE, keeps it out of this file.'),
  from: z
    .strictObject({
      name: z
        .string('must be text')
        .nullable()
        .default(null)
        .describe('The sender people see; null: site.name.'),
      email: z
        .email('must be an e-mail address')
        .nullable()
        .default(null)
        .describe(
          'The sender address, one that your mail server may send for; also the envelope sender. null: no-reply@ the host of site.url.',
        ),
    })
    .prefault({}),
  replyTo: z
    .email('must be an e-mail address')
    .nullable()
    .default(null)
    .describe('Where answers go; null: to the sender.'),
  timeout: duration('100ms', '2m')
    .prefault('10s')
    .describe(
      'The longest wait for the mail server to connect, to greet, and to answer each command.',
    ),
  pool: z
    .int('must be a whole number')
    .min(1, 'must be 1 or more')
    .max(20, 'must be 20 or less')
    .default(2)
    .describe('Connections kept open, and so mails sent at a time.'),
  tls: z
    .strictObject({
      ca: z
        .string('must be a file')
        .nullable()
        .default(null)
        .describe(
          'A PEM file with the authority that signed the server; null: those that Node trusts.',
        ),
      rejectUnauthorized: z
        .boolean('must be true or false')
        .nullable()
        .default(null)
        .describe(
          'false accepts any certificate: only ever for a test. null: false on this machine, else true.',
        ),
    })
    .prefault({}),
})

/** `mail:` */
export const mail: z.ZodType<Parsed['mail']> = z.strictObject({
  retries: z
    .array(duration('1ms', '24h'))
    .max(20, 'must be 20 waits or fewer')
    .prefault(['5s', '30s', '2m', '5m'])
    .describe(
      'Waits before each new try when the mail server is away or says 4xx. A 5xx is final; nothing is mailed after its link has expired.',
    ),
  notifyChanged: z
    .boolean('must be true or false')
    .default(true)
    .describe('Tell the account that its password was changed (OWASP ASVS 6.3.7).'),
})

/** `store:` */
export const store: z.ZodType<Parsed['store']> = z.strictObject({
  url: z
    .string('must be sqlite:<file>')
    .regex(/^sqlite:.+/, 'must be sqlite:<file>, such as sqlite:data/forgot-password.db')
    .default('sqlite:data/forgot-password.db')
    .describe(
      "Where open recoveries and waiting mails are kept. A file of its own, or the site's database with a tablePrefix.",
    ),
  tablePrefix: z
    .string('must be text')
    .regex(/^[a-z0-9_]*$/, 'must be lower-case letters, digits and _')
    .default('')
    .describe('Put before the names of its tables when they share a database.'),
})

/** `users:` */
export const users: z.ZodType<NonNullable<Parsed['users']>> = z.strictObject({
  url: z
    .string('must be sqlite:<file>')
    .regex(/^sqlite:.+/, 'must be sqlite:<file>')
    .describe('The database that holds your users.')
    .meta({ examples: ['sqlite:/var/lib/site/users.db'] }),
  table: sqlName.default('users').describe('The table of accounts.'),
  id: sqlName.default('id').describe('Its column with the identifier.'),
  email: sqlName
    .default('email')
    .describe(
      'Its column with the address. An index on it, and on lower(email), keeps look-ups fast.',
    ),
  password: sqlName
    .default('password')
    .describe('Its column with the password hash, as your login reads it.'),
  name: sqlName
    .nullable()
    .default(null)
    .describe('Its column with a name to greet by; null: none.'),
  locale: sqlName
    .nullable()
    .default(null)
    .describe("Its column with the person's language (fr, pt-BR); null: none."),
  where: text('must be an SQL condition')
    .nullable()
    .default(null)
    .describe(
      "An SQL condition that accounts must meet, such as 'active = 1'; others are treated as unknown.",
    ),
  sessions: z
    .strictObject({
      table: sqlName.describe('The table of signed-in sessions.').meta({ examples: ['sessions'] }),
      user: sqlName
        .describe("Its column with the account's identifier.")
        .meta({ examples: ['user_id'] }),
    })
    .nullable()
    .default(null)
    .describe('Sessions to end when a password changes; null: your site ends them itself.'),
})

/** `hooks:` */
export const hooks: z.ZodType<Parsed['hooks']> = z.strictObject({
  url: hookUrl
    .nullable()
    .default(null)
    .describe(
      'Where to POST each event (docs/events.md), in their order; it waits a day for an endpoint that is away. null: nowhere.',
    ),
  secret: z
    .string('must be text')
    .min(32, 'must be 32 characters or more: make one with "openssl rand -hex 32"')
    .nullable()
    .default(null)
    .describe('What each POST is signed with (Standard Webhooks): the endpoint must check it.'),
})

/** `log:` */
export const log: z.ZodType<Parsed['log']> = z.strictObject({
  level: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be fatal, error, warn, info, debug, trace or silent',
    )
    .default('info')
    .describe(
      'How much is logged; the demo says warn where this says info. No level logs a link, a password or an address.',
    ),
})
