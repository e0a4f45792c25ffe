import { z } from 'zod'
import type { ParsedUsers } from './accounts.ts'
import type { Parsed } from './config.ts'
import {
  databaseUrl,
  duration,
  hookUrl,
  networks,
  networksRule,
  port,
  sqlName,
  text,
} from './values.ts'

const signingSecret = z
  .string('must be text')
  .min(32, 'must be 32 characters or more: make one with "openssl rand -hex 32"')
  .nullable()
  .default(null)

/** `server:` */
export const server: z.ZodType<Parsed['server']> = z.strictObject({
  host: text('must be an address to listen on')
    .default('127.0.0.1')
    .describe(
      'The address to listen on. 127.0.0.1 is reached through a proxy on this machine only.',
    ),
  port: port.default(3000).describe('The TCP port to listen on.'),
  processes: z
    .union([z.int().min(1).max(64), z.literal('auto')], "must be a number, 1 to 64, or 'auto'")
    .default(1)
    .describe(
      'How many processes answer at that port; one more delivers the mails. auto: as many as there are processor cores. docs/scale.md has figures.',
    ),
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
  url: z
    .string('must be a database')
    .refine((url) => !isMongoUrl(url), {
      error: 'must be an SQL database: MongoDB can hold the accounts alone (users.url)',
      abort: true,
    })
    .pipe(databaseUrl)
    .default('sqlite:data/forgot-password.db')
    .describe(
      "Where open recoveries and waiting mails are kept: sqlite:<file>, or postgres://user:password@host/database or mysql://user:password@host/database for sites on several machines. Of its own, or the site's with a tablePrefix.",
    ),
  tablePrefix: z
    .string('must be text')
    .regex(/^[a-z0-9_]*$/, 'must be lower-case letters, digits and _')
    .default('')
    .describe('Put before the names of its tables when they share a database.'),
})

const mongoScheme = /^mongodb(?:\+srv)?:/
const isMongoUrl = (url: string): boolean => mongoScheme.test(url)
// A second @ would be one of a password, and then it could not be told where that ends.
const mongoPattern = /^mongodb(?:\+srv)?:\/\/(?:[^\s@/]+@)?[^\s@/?]+\/[^\s@/?]+(?:\?[^\s@]*)?$/

const usersUrlRule =
  'must be a database, such as sqlite:<file>, postgres://, mysql:// or mongodb://user:password@host/database with % @ / of ' +
  'the password as %25 %40 %2F; or an https endpoint'

const usersUrl = z
  .string(usersUrlRule)
  .refine(
    (url) =>
      databaseUrl.safeParse(url).success ||
      hookUrl.safeParse(url).success ||
      mongoPattern.test(url),
    usersUrlRule,
  )

const fieldName = z
  .string()
  .regex(
    /^[\p{L}_][\p{L}\p{N}_-]*(?:\.[\p{L}\p{N}_][\p{L}\p{N}_-]*)*$/u,
    'must be the name of a field',
  )
const fieldValue = z.union(
  [z.string(), z.number(), z.boolean(), z.null()],
  'must be text, a number, true, false or null: fields are compared for being equal',
)
const whereRule = 'must be an SQL condition, or for MongoDB fields with their values'

const userKeys: z.ZodType<ParsedUsers> = z.strictObject({
  url: usersUrl
    .describe(
      'The database that holds your users: sqlite:<file>, postgres://user:password@host/database, mysql:// or mongodb:// ' +
        'likewise; or the https endpoint of your site that knows them (docs/users.md), for which secret and timeout alone count.',
    )
    .meta({ examples: ['sqlite:/var/lib/site/users.db'] }),
  table: sqlName.default('users').describe('The table of accounts.'),
  id: sqlName.default('id').describe('Its column with the identifier; in MongoDB it is _id.'),
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
  where: z
    .union([text(whereRule), z.record(fieldName, fieldValue), z.null()], whereRule)
    .default(null)
    .describe(
      "An SQL condition that accounts must meet, such as 'active = 1', or for MongoDB { active: true }; others are treated as unknown.",
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
  secret: signingSecret.describe(
    'What an endpoint is asked with is signed with this (Standard Webhooks); null: with hooks.secret.',
  ),
  timeout: duration('100ms', '9s')
    .prefault('3s')
    .describe('How long an endpoint may take for one try; there are three, within 9 s in all.'),
})

const usersRule =
  'must be a table with its keys, an https endpoint, or an ES module such as ./my-users.mjs'

/** `users:` */
export const users: z.ZodType<NonNullable<Parsed['users']>> = z.union(
  [userKeys, z.string(usersRule).regex(/^[^:]+\.(?:m?js|m?ts)$/, usersRule), hookUrl],
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
  secret: signingSecret.describe(
    'What each POST is signed with (Standard Webhooks): the endpoint must check it.',
  ),
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

/** `preview:` */
export const preview: z.ZodType<Parsed['preview']> = z.strictObject({
  enabled: z
    .boolean('must be true or false')
    .default(false)
    .describe(
      'Whether /dev/preview shows every page and mail in every language, to whoever sits at this machine. Refused unless ' +
        'site.url is this machine; the demo has it always, and "forgot-password preview" needs no key.',
    ),
})
