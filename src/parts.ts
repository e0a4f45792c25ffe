import { type Clock, systemClock } from './clock.ts'
import type { Config, UserCollection, UserTable } from './config/config.ts'
import { openOwnDatabase, openSiteDatabase, storeFile } from './databases.ts'
import { openDemoUsers } from './demo/accounts.ts'
import type { EventName } from './events.ts'
import { KeyWatch } from './key-watch.ts'
import { type LimitedAct, StoreLimiter } from './limit/limiter.ts'
import { Locales } from './locale/locales.ts'
import { type Log, silentLog } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Opened } from './opened.ts'
import { PwnedPasswords } from './password/breached.ts'
import { WorkerPasswords } from './password/hash.ts'
import { keptSecret } from './proof/kept-secret.ts'
import { KeyRing } from './proof/secret.ts'
import type { AssetPath } from './respond/assets.ts'
import { SqlStore } from './store/sql.ts'
import type { Store } from './store/store.ts'
import { Templates } from './templates.ts'
import { type EventWriter, type Hooks, Trail } from './trail.ts'
import { loadUsers } from './users/module.ts'
import { SqlUsers } from './users/sql.ts'
import { TimelyUsers } from './users/timely.ts'
import type { Users } from './users/users.ts'
import { Webhook } from './webhook.ts'

// Which implementation each part has: with mail-parts.ts and wire.ts, the only place that knows which there are.

/** Parts that take the place of those the configuration would choose. */
export interface Overrides {
  readonly clock?: Clock
  readonly log?: Log
  readonly users?: Users
  readonly assetPath?: AssetPath
  readonly hooks?: Hooks
  /** Whether mails are delivered from here; default: they are. */
  readonly isDelivering?: boolean
  /** Tells whoever delivers, where that is not done from here; default: its database does, if it can. */
  readonly wake?: () => void
  /** What counts; default: what this process does is counted by itself. */
  readonly metrics?: Metrics
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

/** @throws {ForgotError} `ERR_FORGOT_STORE` when it cannot be opened. */
export async function openStore(
  { secrets, dataDir, store }: Config,
  opened: Opened,
): Promise<{ readonly keys: KeyRing; readonly store: Store }> {
  const [first = keptSecret(dataDir), ...rest] = secrets
  const engine = await openOwnDatabase(store)
  return {
    keys: new KeyRing([first, ...rest]),
    store: opened.add(await SqlStore.open(engine, store.tablePrefix)),
  }
}

/** @throws {ForgotError} when a database, a template or a language cannot be used. */
export async function openCore(
  config: Config,
  overrides: Overrides,
  opened: Opened,
): Promise<Core> {
  const templates = new Templates(config.templates, { isWhole: config.theme.layout })
  const locales = Locales.load(config.locales)
  const { keys, store } = await openStore(config, opened)
  const { clock = systemClock } = overrides
  const users = overrides.users
    ? new TimelyUsers(overrides.users)
    : await openUsers(config, clock, opened)
  return { clock, keys, locales, store, templates, users }
}

// What a courier has taken is its own for fifteen seconds: another's clock must not say sooner that they are over.
const mostSkewMs = 5000

/**
 * Finds out whether a process may work beside others on its store. Once is enough: its courier's thread need not.
 *
 * @throws {ForgotError} `ERR_FORGOT_CONFIG` when others use a secret that it does not have.
 */
export async function joinOthers(
  config: Config,
  { clock, keys, store }: Core,
  log: Log,
): Promise<KeyWatch> {
  const lifeMs = retentionMs(config)
  const isShared = storeFile(config.store) === null
  const keyWatch = new KeyWatch({ keys, marks: store.keyMarks, clock, log, lifeMs, isShared })
  await keyWatch.check()
  await warnOfSkew(store, clock, log)
  return keyWatch
}

/** Machines compare times that others have written down. */
async function warnOfSkew(store: Store, clock: Clock, log: Log): Promise<void> {
  const skewMs = await store.clockSkew(clock.now())
  if (Math.abs(skewMs) < mostSkewMs) return
  const rule = 'the clocks of this machine and of the database differ: a mail may be sent twice'
  log.warn({ skewMs: Math.round(skewMs) }, `${rule}; let a time server set both`)
}

/** Has events written down, and tells the host's hooks. */
export function openTrail(
  writer: EventWriter,
  { log = silentLog, hooks = {}, isPublishing = true }: Overrides,
  count: (name: EventName) => void = () => {},
): Trail {
  return new Trail({ writer, log, hooks, isPublishing, count })
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

/** @throws {ForgotError} `ERR_FORGOT_USERS` when they cannot be opened, or differ from their mapping. */
export async function openUsers(
  { users, dataDir }: Config,
  clock: Clock,
  opened: Opened,
): Promise<Users> {
  if (typeof users === 'string') return new TimelyUsers(await loadUsers(users))
  // What few sites use is loaded for those alone: a start is felt.
  if (users !== null && 'secret' in users) {
    const { HttpUsers } = await import('./users/http.ts')
    return new TimelyUsers(await HttpUsers.open(users, clock))
  }
  if (users !== null && isCollection(users)) {
    const { MongoUsers } = await import('./users/mongo.ts')
    return new TimelyUsers(opened.add(await MongoUsers.open(users)))
  }
  const table = users ?? (await openDemoUsers(dataDir))
  return opened.add(await SqlUsers.open(await openSiteDatabase(table.url), table))
}

function isCollection(users: UserTable | UserCollection): users is UserCollection {
  return users.url.startsWith('mongodb')
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

/** How often each client may do what it does. */
export function makeLimiter({ limits }: Config, { clock, store }: Core): StoreLimiter<LimitedAct> {
  return new StoreLimiter(store.counters, clock, {
    request: limits.perClient,
    'bad-proof': limits.badProofs,
    'wrong-code': limits.wrongCodes,
  })
}

/** A day after its end nobody asks for a row any more, but the limits count mails as old as they reach. */
export function retentionMs({ limits }: Config): number {
  return Math.max(24 * 3_600_000, ...limits.perAccount.map((limit) => limit.windowMs))
}
