import { z } from 'zod'
import type { Parsed, UserTable } from './config.ts'
import { databaseUrl, hookUrl, networks, networksRule, port, sqlName, text } from './values.ts'

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

/** `store:` */
export const store: z.ZodType<Parsed['store']> = z.strictObject({
  url: databaseUrl
    .default('sqlite:data/forgot-password.db')
    .describe(
      "Where open recoveries and waiting mails are kept: sqlite:<file>, or postgres://user:password@host/database for sites on several machines. Of its own, or the site's with a tablePrefix.",
    ),
  tablePrefix: z
    .string('must be text')
    .regex(/^[a-z0-9_]*$/, 'must be lower-case letters, digits and _')
    .default('')
    .describe('Put before the names of its tables when they share a database.'),
})

const userTable: z.ZodType<UserTable> = z.strictObject({
  url: databaseUrl
    .describe(
      'The database that holds your users: sqlite:<file> or postgres://user:password@host/database.',
    )
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

const usersRule = 'must be a table with its keys, or an ES module such as ./my-users.mjs'

/** `users:` */
export const users: z.ZodType<NonNullable<Parsed['users']>> = z.union(
  [userTable, z.string(usersRule).regex(/^[^:]+\.(?:m?js|m?ts)$/, usersRule)],
  usersRule,
)

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

/** `metrics:` */
export const metrics: z.ZodType<Parsed['metrics']> = z.strictObject({
  enabled: z
    .boolean('must be true or false')
    .default(false)
    .describe(
      'Whether the standalone server tells figures of its mail queue and events at /metrics, in the form of Prometheus. Do not let your proxy pass it on.',
    ),
})
