import type { Config, ResponseShape } from './config/config.ts'
import { CourierThread, type ThreadParts } from './courier-thread.ts'
import { openBell } from './databases.ts'
import { Forgot } from './forgot.ts'
import type { Health } from './health.ts'
import { silentLog } from './log.ts'
import type { Deliverer } from './mail/courier.ts'
import { Mailbox } from './mail/mailbox.ts'
import { Reachability } from './mail/mailer.ts'
import { openMailer } from './mail-parts.ts'
import { Metrics } from './metrics.ts'
import { checkNode } from './node.ts'
import { Opened } from './opened.ts'
import {
  type Core,
  joinOthers,
  type Overrides,
  openCore,
  openLimiter,
  openPasswords,
  openTrail,
  retentionMs,
} from './parts.ts'
import { inspectOwnFiles } from './rehearsal.ts'
import { type Assets, loadAssets } from './respond/assets.ts'
import { Pages, type Render } from './respond/html.ts'
import { JsonBodies } from './respond/json.ts'
import type { Services } from './services.ts'
import { Pruner } from './store/pruner.ts'
import type { Templates } from './templates.ts'
import { asOne, deliverHere } from './wire-courier.ts'

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
   * @param shape The body of a JSON success; default: the usual one.
   */
  forgot(options?: { render?: Render; shape?: ResponseShape | null }): Forgot
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
    const mailer = opened.add(openMailer(config))
    const mail = new Reachability(mailer)
    const { metrics = new Metrics() } = overrides
    const events = opened.add(openTrail(store, overrides, (name) => metrics.countEvent(name)))
    const delivery = await chooseDeliverer(config, overrides, core, { log, events, metrics })
    const pruner = new Pruner({ store, clock, log, keepMs: retentionMs(config) })
    const limiter = overrides.limiter ?? opened.add(await openLimiter(config))
    const byTemplates: Render = (template, view) => templates.render(template, view)
    const wake = () => delivery.wake()
    const { resets } = store
    const services: Services = { ...core, config, resets, passwords, limiter, log, events, wake }
    return {
      config,
      services,
      mailbox: mailer instanceof Mailbox ? mailer : null,
      health: { config, clock, store, mail, metrics, isDelivering },
      templates,
      assets,
      forgot: ({ render = byTemplates, shape = null } = {}) =>
        new Forgot(services, {
          html: new Pages({ services, assets, render }),
          json: new JsonBodies({ services, shape }),
        }),
      start: () => {
        delivery.start()
        pruner.start()
        keyWatch.start()
        if (isDelivering) void mail.warn(log)
      },
      close: async () => {
        await pruner.stop()
        await delivery.stop()
        await opened.close()
      },
    }
  } catch (error) {
    await opened.close()
    throw error
  }
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
  return deliverHere(config, overrides, core, parts, opened)
}

/** For a process that delivers nothing: whoever does is called. */
async function callOthers({ store }: Config, opened: Opened): Promise<Deliverer> {
  const bell = await openBell(store)
  if (bell !== null) opened.add(bell)
  return { ...asOne([], opened), wake: () => bell?.ring() }
}
