import { asOne } from './beside.ts'
import type { Config } from './config/config.ts'
import { type CourierReports, makeCourier } from './courier-parts.ts'
import { openBell } from './databases.ts'
import type { Health } from './health.ts'
import { silentLog } from './log.ts'
import type { Deliverer } from './mail/courier.ts'
import { Reachability } from './mail/mailer.ts'
import { openMailer } from './mail-parts.ts'
import { Metrics } from './metrics.ts'
import { checkNode } from './node.ts'
import { Opened } from './opened.ts'
import {
  type Core,
  makeWebhook,
  type Overrides,
  openCore,
  openTrail,
  retentionMs,
} from './parts.ts'
import { Upkeep } from './store/upkeep.ts'

// Apart from wire.ts, so that the courier's thread loads none of what makes pages.

/** The courier without the pages. */
export interface WiredCourier {
  readonly core: Core
  readonly courier: Deliverer
  readonly health: Health
}

/**
 * The courier alone, with connections of its own: for a thread, or a process, beside the server's.
 *
 * @param metrics Told what becomes of each mail, and what happens; default: counts of its own.
 * @throws {ForgotError} when a database, a template or a language cannot be used.
 */
export async function wireCourier(
  config: Config,
  overrides: Overrides = {},
  metrics: Metrics = new Metrics(),
): Promise<WiredCourier> {
  checkNode()
  const opened = new Opened()
  try {
    const core = await openCore(config, overrides, opened)
    const events = opened.add(
      openTrail(core.store.audit, overrides, (name) => metrics.countEvent(name)),
    )
    const mail = opened.add(new Reachability(async () => openMailer(config)))
    return {
      core,
      courier: await deliverHere(config, overrides, core, { events, metrics }, opened),
      health: { config, clock: core.clock, store: core.store, mail, metrics, isDelivering: true },
    }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** The courier, the webhook where there is one, and the upkeep of the store, with what they alone use. */
export async function deliverHere(
  config: Config,
  overrides: Overrides,
  core: Core,
  reports: CourierReports,
  opened: Opened,
): Promise<Deliverer> {
  const courier = makeCourier(config, overrides, core, reports, opened)
  const bell = await openBell(config.store)
  if (bell !== null) opened.add(bell).answer(() => courier.wake())
  const { log = silentLog } = overrides
  const upkeep = new Upkeep({ ...core, log, keepMs: retentionMs(config) })
  return asOne([courier, makeWebhook(config, overrides, core), upkeep], opened)
}
