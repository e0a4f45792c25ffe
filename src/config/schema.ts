import { z } from 'zod'
import type { Parsed } from './config.ts'
import { mail, smtp } from './mail.ts'
import { route, routeActions, routeKey } from './routes.ts'
import { locales, site, theme } from './site.ts'
import { hooks, log, metrics, preview, server, store, users } from './systems.ts'
import { defaultFolders, sitePath } from './values.ts'
import { limits, password, recovery } from './visitors.ts'

/** Every key of `config.yaml` with its rule, default and meaning: the loader, the JSON Schema and the comments follow it. */
export const schema: z.ZodType<Parsed> = z.strictObject({
  imports: z
    .array(z.string())
    .default([])
    .describe('Other files, merged first; what stands here wins.'),
  site: site
    .prefault({})
    .describe('What visitors and mails call the site, and where its pages are.'),
  server: server
    .prefault({})
    .describe('The standalone server; a Fastify site that registers the plugin has its own.'),
  routes: z
    .record(
      routeKey,
      z.union([z.enum(routeActions), route], 'must be forgot, well-known, or keys and values'),
    )
    .prefault({ '/user/forgot-password': 'forgot', '/.well-known/change-password': 'well-known' })
    .describe(
      'Path to action. well-known sends password managers to the form (W3C change-password-url). ' +
        'A method and a path, such as POST /api/send-otp, may take one step with names of its own: docs/json.md.',
    ),
  access: z
    .strictObject({
      free: z
        .array(sitePath)
        .default(['/user/forgot-password'])
        .describe('Routes that need no sign-in: a host reads it as routeOptions.config.access.'),
    })
    .prefault({})
    .describe('Which routes need no sign-in.'),
  secret: z
    .union([z.string(), z.array(z.string()).min(1)], 'must be one secret or a list')
    .nullable()
    .default(null)
    .describe(
      '32 random bytes or more (openssl rand -hex 32), or a list: the first signs, all verify. null: kept in data/secret.key.',
    ),
  recovery: recovery.prefault({}).describe('How people prove that an account is theirs.'),
  password: password.prefault({}).describe('What a new password must be, and how it is stored.'),
  limits: limits.prefault({}).describe('How often: count/duration, such as 5/1h, or off.'),
  smtp: smtp.prefault({}).describe('Your mail server.'),
  mail: mail.prefault({}).describe('What is mailed, and how patiently.'),
  store: store.prefault({}).describe('Where open recoveries and waiting mails are kept.'),
  users: users
    .nullable()
    .default(null)
    .describe('Your user table. null: the demo with its sample accounts.'),
  locales: locales.prefault({}).describe('The languages of pages and mails.'),
  templates: z
    .string('must be a folder')
    .nullable()
    .default(defaultFolders.templates)
    .describe(
      'A folder with your own templates: each file there wins over the built-in one of its name. They are code: ' +
        'let nobody write there whom you would not let change this file. Need not exist.',
    ),
  theme: theme.prefault({}).describe('How the pages look.'),
  hooks: hooks.prefault({}).describe('What your own server is told.'),
  log: log
    .prefault({})
    .describe('What the standalone server writes to its standard output, as JSON.'),
  metrics: metrics.prefault({}).describe('Figures for monitoring.'),
  preview: preview.prefault({}).describe('Every page and mail to look at, while you write them.'),
})
