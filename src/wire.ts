import { asOne, firstAnswerMs } from './beside.ts'
import type { Config, ResponseShape } from './config/config.ts'
import { CourierThread, type ThreadParts } from './courier-thread.ts'
import { openBell } from './databases.ts'
import { Forgot } from './forgot.ts'
import type { Health } from './health.ts'
import { silentLog } from './log.ts'
import type { Deliverer } from './mail/courier.ts'
import type { Mailbox } from './mail/mailbox.ts'
import { type Mailer, Reachability } from './mail/mailer.ts'
import { Metrics } from './metrics.ts'
import { checkNode } from './node.ts'
import { Opened } from './opened.ts'
import { inspectOwnFiles } from './own-files.ts'
import {
  type Core,
  joinOthers,
  makeLimiter,
  type Overrides,
  openCore,
  openPasswords,
  openTrail,
} from './parts.ts'
import { type Assets, loadAssets } from './respond/assets.ts'
import { Pages, type Render } from './respond/html.ts'
import { JsonBodies } from './respond/json.ts'
import type { Services } from './services.ts'
import type { Templates } from './templates.ts'
import type { EventWriter, Trail } from './trail.ts'

interface ForgotOptions {
  readonly render?: Render
  readonly keepsPages?: boolean
  readonly shape?: ResponseShape | null
}

/** Everything a configuration asks for, connected and ready to start. */
export interface Wired {
  readonly config: Config
  readonly services: Services
  /** Where mails are kept when no mail server is configured; else `null`. */
  readonly mailbox: Mailbox | null
  readonly health: Health
  readonly templates: Templates
  readonly assets: Assets
  /**
   * @param render What renders its pages; default: its templates.
   * @param keepsPages Whether it renders once what is the same for everybody; default: it does.
   * @param shape The body of a JSON success; default: the usual one.
   */
  forgot(options?: ForgotOptions): Forgot
  /** Begins to deliver mail and to delete what is over. */
  start(): void
  /** Finishes the mails that are on their way and lets go of everything. */
  close(): Promise<void>
}

/**
 * Chooses the implementation of every part: the only place that knows which there are.
 *
 * @throws {ForgotError} when a database, a template or a language cannot be used.
 */
export async function wire(config: Config, overrides: Overrides = {}): Promise<Wired> {
  checkNode()
  const { log = silentLog, isDelivering = true } = overrides
  const opened = new Opened()
  try {
    const core = await openCore(config, overrides, opened)
    const { clock, store, templates } = core
    const keyWatch = opened.add(await joinOthers(config, core, log))
    const assets = loadAssets(config, templates, overrides.assetPath)
    const notes = await inspectOwnFiles({ config, ...core }, assets)
    for (const note of notes) log.warn({}, note)
    const passwords = opened.add(openPasswords(config, overrides))
    const mailbox = await openMailbox(config)
    const mail = opened.add(new Reachability(() => loadMailer(config)))
    const { metrics = new Metrics() } = overrides
    const { delivery, events } = await wireDelivery(config, overrides, core, { log, metrics })
    const limiter = makeLimiter(config, core)
    const byTemplates: Render = (template, view) => templates.render(template, view)
    const wake = () => delivery.wake()
    const { resets } = store
    let warning: NodeJS.Timeout | undefined
    const services: Services = { ...core, config, resets, passwords, limiter, log, events, wake }
    return {
      config,
      services,
      mailbox,
      health: { config, clock, store, mail, metrics, isDelivering },
      templates,
      assets,
      forgot: ({ render = byTemplates, keepsPages = true, shape = null } = {}) =>
        new Forgot(services, {
          html: new Pages({ services, assets, render, keepsPages }),
          json: new JsonBodies({ services, shape }),
        }),
      start: () => {
        delivery.start()
        keyWatch.start()
        if (isDelivering) warning = setTimeout(() => mail.warn(log), firstAnswerMs).unref()
      },
      close: async () => {
        clearTimeout(warning)
        await events.close()
        await delivery.stop()
        await opened.close()
      },
    }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** What delivers, and what tells of it: where that is a thread, it also writes down what happens here. */
async function wireDelivery(
  config: Config,
  overrides: Overrides,
  core: Core,
  parts: Pick<ThreadParts, 'log' | 'metrics'>,
): Promise<{ readonly delivery: Deliverer; readonly events: Trail }> {
  const { audit } = core.store
  const writer: EventWriter = {
    add: (list) => (delivery instanceof CourierThread ? delivery : audit).add(list),
  }
  const events = openTrail(writer, overrides, (name) => parts.metrics.countEvent(name))
  const delivery = await chooseDeliverer(config, overrides, core, { ...parts, audit, events })
  return { delivery, events }
}

/** In a thread of its own, unless parts are given that cannot leave this one. */
async function chooseDeliverer(
  config: Config,
  overrides: Overrides,
  core: Core,
  parts: ThreadParts,
): Promise<Deliverer> {
  const { clock, users, isDelivering = true, wake } = overrides
  const opened = new Opened()
  if (!isDelivering && wake !== undefined) return { ...asOne([], opened), wake }
  if (!isDelivering) return callOthers(config, opened)
  if (clock === undefined && users === undefined) return new CourierThread(config, parts)
  const { deliverHere } = await import('./wire-courier.ts')
  return deliverHere(config, overrides, core, parts, opened)
}

// What mails need is half of what this package loads. The requests need none of it: their first answer must not wait.

async function loadMailer(config: Config): Promise<Mailer> {
  const { openMailer } = await import('./mail-parts.ts')
  return openMailer(config)
}

async function openMailbox(config: Config): Promise<Mailbox | null> {
  if (!config.hasMailbox) return null
  const { Mailbox } = await import('./mail/mailbox.ts')
  return new Mailbox(config)
}

/** For a process that delivers nothing: whoever does is called. */
async function callOthers({ store }: Config, opened: Opened): Promise<Deliverer> {
  const bell = await openBell(store)
  if (bell !== null) opened.add(bell)
  return { ...asOne([], opened), wake: () => bell?.ring() }
}
