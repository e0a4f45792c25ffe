import { join } from 'node:path'
import { type Clock, systemClock } from './clock.ts'
import type { Config } from './config/config.ts'
import { openDemoUsers } from './demo/accounts.ts'
import type { Events } from './events.ts'
import type { Limiter } from './limit/limiter.ts'
import { SqliteLimiter } from './limit/sqlite.ts'
import { Locales } from './locale/locales.ts'
import { type Log, silentLog } from './log.ts'
import { Courier } from './mail/courier.ts'
import { Mailbox } from './mail/mailbox.ts'
import type { Mailer } from './mail/mailer.ts'
import { SmtpMailer } from './mail/smtp.ts'
import { AccountWriter } from './mail/writer.ts'
import type { Opened } from './opened.ts'
import { PwnedPasswords } from './password/breached.ts'
import { WorkerPasswords } from './password/hash.ts'
import { keptSecret } from './proof/kept-secret.ts'
import { KeyRing } from './proof/secret.ts'
import type { AssetPath } from './respond/assets.ts'
import { limitTable } from './store/schema.ts'
import { SqlStore } from './store/sql.ts'
import { openOwnSqlite, openSharedSqlite, openSiteSqlite } from './store/sqlite.ts'
import type { Store } from './store/store.ts'
import { Templates } from './templates.ts'
import { type Hooks, Trail } from './trail.ts'
import { SqlUsers } from './users/sql.ts'
import { TimelyUsers } from './users/timely.ts'
import type { Users } from './users/users.ts'
import { Webhook } from './webhook.ts'

// Which implementation each part has: with wire.ts, the only place that knows which there are.

/** Parts that take the place of those the configuration would choose. */
export interface Overrides {
  readonly clock?: Clock
  readonly limiter?: Limiter
  readonly log?: Log
  readonly users?: Users
  readonly assetPath?: AssetPath
  readonly hooks?: Hooks
  /** Default: events are published on the diagnostics channel. */
  readonly isPublishing?: boolean
}

/** What both the requests and the courier need. */
export interface Core {
  readonly clock: Clock
  readonly keys: KeyRing
  readonly locales: Locales
  readonly store: Store
  readonly templates: Templates
  readonly users: Users
}

/** @throws {ForgotError} when a database, a template or a language cannot be used. */
export async function openCore(
  config: Config,
  overrides: Overrides,
  opened: Opened,
): Promise<Core> {
  const templates = new Templates(config.templates)
  const locales = Locales.load(config.locales)
  const [first = keptSecret(config.dataDir), ...rest] = config.secrets
  const store = opened.add(
    await SqlStore.open(openOwnSqlite(config.store.url), config.store.tablePrefix),
  )
  const users = overrides.users
    ? new TimelyUsers(overrides.users)
    : opened.add(await openUsers(config))
  const { clock = systemClock } = overrides
  return { clock, keys: new KeyRing([first, ...rest]), locales, store, templates, users }
}

/** Writes events to the store, and tells the host's hooks. */
export function openTrail(
  { audit }: Store,
  { log = silentLog, hooks = {}, isPublishing = true }: Overrides,
): Trail {
  return new Trail({ audit, log, hooks, isPublishing })
}

/** Tells the site's own endpoint, where it has one. */
export function makeWebhook(
  { hooks }: Config,
  { log = silentLog }: Overrides,
  { clock, store }: Core,
): Webhook | null {
  const { url, secret } = hooks
  if (url === null || secret === null) return null
  return new Webhook({ url, secret, audit: store.audit, clock, log })
}

export function makeCourier(
  config: Config,
  { log = silentLog }: Overrides,
  { clock, keys, locales, store, templates, users }: Core,
  events: Events,
  opened: Opened,
): Courier {
  const { resets, jobs } = store
  return new Courier({
    jobs,
    writer: new AccountWriter({ config, clock, keys, jobs, resets, users, locales, templates }),
    mailer: opened.add(openMailer(config)),
    clock,
    log,
    events,
    retriesMs: config.mail.retries,
    connections: config.smtp.pool,
  })
}

async function openUsers(config: Config): Promise<SqlUsers> {
  const map = config.users ?? (await openDemoUsers(config.dataDir))
  return SqlUsers.open(openSiteSqlite(map.url), map)
}

export function openMailer({ smtp, dataDir }: Config): Mailer {
  return smtp.host === null
    ? new Mailbox(smtp, join(dataDir, 'mailbox'))
    : new SmtpMailer(smtp, smtp.host)
}

const pwnedPasswords = 'https://api.pwnedpasswords.com/range/'

export function openPasswords(
  { password }: Config,
  { log = silentLog }: Overrides,
): WorkerPasswords {
  const { breached } = password
  const url = breached === true ? pwnedPasswords : breached
  const breaches = url === false ? null : new PwnedPasswords(url, log)
  return new WorkerPasswords(password, { breaches })
}

export function openLimiter({ limits, store }: Config): Limiter {
  return new SqliteLimiter(openSharedSqlite(store.url), limitTable(store.tablePrefix), {
    request: limits.perClient,
    'bad-proof': limits.badProofs,
    'wrong-code': limits.wrongCodes,
  })
}
