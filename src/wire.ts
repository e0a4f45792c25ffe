import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, systemClock } from './clock.ts'
import type { Config } from './config/config.ts'
import { openDemoUsers } from './demo/accounts.ts'
import { ForgotError } from './errors.ts'
import { Forgot } from './forgot.ts'
import type { Limiter } from './limit/limiter.ts'
import { MemoryLimiter } from './limit/memory.ts'
import { Locales } from './locale/locales.ts'
import { describeError, type Log, silentLog } from './log.ts'
import { Courier } from './mail/courier.ts'
import { Mailbox } from './mail/mailbox.ts'
import { SmtpMailer } from './mail/smtp.ts'
import { AccountWriter } from './mail/writer.ts'
import { WorkerPasswords } from './password/hash.ts'
import { KeyRing } from './proof/secret.ts'
import { type Assets, loadAssets } from './respond/assets.ts'
import { Pages, type Render } from './respond/html.ts'
import type { Services } from './services.ts'
import { SqlStore } from './store/sql.ts'
import { openSqlite } from './store/sqlite.ts'
import type { Store } from './store/store.ts'
import { Templates } from './templates.ts'
import { SqlUsers } from './users/sql.ts'
import type { Users } from './users/users.ts'

/** Parts that take the place of those the configuration would choose. */
export interface Overrides {
  readonly clock?: Clock
  readonly limiter?: Limiter
  readonly log?: Log
  readonly users?: Users
}

const dayMs = 24 * 3_600_000
const pruneEveryMs = 60_000
const pruneCount = 500

/** Everything a configuration asks for, connected and ready to start. */
export class Wired {
  readonly config: Config
  readonly services: Services
  readonly courier: Courier
  /** Where mails are kept when no mail server is configured; else `null`. */
  readonly mailbox: Mailbox | null
  readonly store: Store
  readonly templates: Templates
  readonly assets: Assets
  readonly #closers: readonly (() => Promise<void>)[]
  #pruning: NodeJS.Timeout | null = null

  constructor(
    parts: Omit<Wired, 'forgot' | 'start' | 'close'> & { closers: (() => Promise<void>)[] },
  ) {
    this.config = parts.config
    this.services = parts.services
    this.courier = parts.courier
    this.mailbox = parts.mailbox
    this.store = parts.store
    this.templates = parts.templates
    this.assets = parts.assets
    this.#closers = parts.closers
  }

  /** @param render What renders its pages, when it is not the templates alone. */
  forgot(render: Render = (template, view) => this.templates.render(template, view)): Forgot {
    const { services, assets } = this
    return new Forgot(services, new Pages({ services, assets, render }))
  }

  /** Begins to deliver mail and to delete what is over. */
  start(): void {
    this.courier.start()
    this.#pruning ??= setInterval(() => {
      this.#prune().catch((error: unknown) => {
        this.services.log.warn({ error: describeError(error) }, 'old rows cannot be deleted')
      })
    }, pruneEveryMs).unref()
  }

  /** Finishes the mails that are on their way and lets go of everything. */
  async close(): Promise<void> {
    if (this.#pruning !== null) clearInterval(this.#pruning)
    await this.courier.stop()
    for (const close of this.#closers) await close()
  }

  async #prune(): Promise<void> {
    const { clock, config } = this.services
    // The limits count mails that are this old.
    const windows = config.limits.perAccount.map((limit) => limit.windowMs)
    const now = clock.now()
    await this.store.prune(now, now - Math.max(dayMs, ...windows), pruneCount)
  }
}

/**
 * Chooses the implementation of every part: the only place that knows which there are.
 *
 * @throws {ForgotError} when a database, a template or a language cannot be used.
 */
export async function wire(config: Config, overrides: Overrides = {}): Promise<Wired> {
  const { clock = systemClock, log = silentLog } = overrides
  const templates = new Templates(config.templates)
  const assets = loadAssets(config, templates)
  const locales = Locales.load(config.locales)
  const keys = new KeyRing(
    config.secrets.length > 0 ? config.secrets : [keptSecret(config.dataDir)],
  )
  const store = await SqlStore.open(openSqlite(config.store.url, 'own'), config.store.tablePrefix)
  const users = overrides.users ?? (await openUsers(config))
  const passwords = new WorkerPasswords(config.password)
  const mailbox =
    config.smtp.host === null ? new Mailbox(config.smtp, join(config.dataDir, 'mailbox')) : null
  const mailer = mailbox ?? new SmtpMailer(config.smtp, config.smtp.host ?? '')
  const { resets, jobs } = store
  const courier = new Courier({
    jobs,
    writer: new AccountWriter({ config, clock, keys, resets, users, locales, templates }),
    mailer,
    clock,
    log,
    retriesMs: config.mail.retries,
    concurrency: config.smtp.pool,
  })
  const limiter = overrides.limiter ?? openLimiter(config)
  const services: Services = {
    config,
    clock,
    keys,
    resets,
    users,
    passwords,
    limiter,
    locales,
    log,
    wake: () => courier.wake(),
  }
  const closers = [mailer, passwords, users, store].map((part) => () => part.close())
  return new Wired({ config, services, courier, mailbox, store, templates, assets, closers })
}

async function openUsers(config: Config): Promise<Users> {
  const map = config.users ?? (await openDemoUsers(config.dataDir))
  return SqlUsers.open(openSqlite(map.url, 'foreign'), map)
}

function openLimiter({ limits }: Config): Limiter {
  return new MemoryLimiter({ request: limits.perClient, 'bad-proof': limits.badProofs })
}

/** The secret of a site that has configured none: made once and kept beside the data, for one machine. */
function keptSecret(dataDir: string): string {
  const file = join(dataDir, 'secret.key')
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    if (!existsSync(file)) makeSecret(file)
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    const message = `secret: none is set and ${file} cannot be made: set one, or make the folder writable`
    throw new ForgotError('ERR_FORGOT_CONFIG', message, { cause })
  }
}

/** Appears whole or not at all; of two processes that start at once, the second keeps the first's. */
function makeSecret(file: string): void {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  try {
    linkSync(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    unlinkSync(draft)
  }
}
