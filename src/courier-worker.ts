import { parentPort, workerData } from 'node:worker_threads'
import type { Config } from './config/config.ts'
import type { Order, Report } from './courier-thread.ts'
import type { RecoveryEvent } from './events.ts'
import { describeError, type Log } from './log.ts'
import type { MailOutcome } from './mail/delivery.ts'
import { Metrics } from './metrics.ts'
import { hooksOf } from './trail.ts'
import { wireCourier } from './wire-courier.ts'

const tell = (level: keyof Log) => (data: object, message: string) =>
  parentPort?.postMessage({ level, data, message } satisfies Report)
const log: Log = { info: tell('info'), warn: tell('warn'), error: tell('error') }

const hooks = hooksOf((event) => parentPort?.postMessage({ event } satisfies Report))

/** Counts there and not here. */
class RemoteMetrics extends Metrics {
  override countMail(outcome: MailOutcome): void {
    parentPort?.postMessage({ outcome } satisfies Report)
  }
}

const overrides = { log, hooks, isPublishing: false }
const { core, courier } = await wireCourier(workerData as Config, overrides, new RemoteMetrics())
courier.start()

function write(happened: readonly RecoveryEvent[]): void {
  core.store.audit.add(happened).catch((error: unknown) => {
    const events = happened.map(({ name }) => name)
    log.error({ events, error: describeError(error) }, 'events cannot be recorded')
  })
}

parentPort?.on('message', (order: Order) => {
  if (order === 'wake') courier.wake()
  else if (order !== 'stop') write(order.happened)
  else
    courier.stop().then(
      () => parentPort?.close(),
      () => process.exit(1),
    )
})
