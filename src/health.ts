import type { FastifyInstance } from 'fastify'
import type { Clock } from './clock.ts'
import type { Config } from './config/config.ts'
import type { Reachability } from './mail/mailer.ts'
import type { Metrics } from './metrics.ts'
import type { Store } from './store/store.ts'

/** What tells how a process does. */
export interface Health {
  readonly config: Config
  readonly clock: Clock
  readonly store: Store
  readonly mail: Reachability
  readonly metrics: Metrics
  /** Whether mails leave from this process; else it is the queue that tells whether they do. */
  readonly isDelivering: boolean
}

// A mail leaves within a second, and the first new try is due after five: one that is owed for longer tells
// that nobody delivers, or nobody can.
const longestOwedMs = 30_000

/** `/health`: the process lives. `/ready`: store and mail do. `/metrics`, where it is wanted. */
export function mountHealth(app: FastifyInstance, health: Health): void {
  const { clock, config, metrics, store } = health
  app.get('/health', async (_, reply) =>
    reply.header('cache-control', 'no-store').send({ status: 'ok' }),
  )
  app.get('/ready', async (_, reply) => {
    const [isStoreUp, isMailUp] = await Promise.all([succeeds(store.check()), checkMail(health)])
    const word = (isUp: boolean) => (isUp ? 'ok' : 'down')
    const isReady = isStoreUp && isMailUp
    reply.code(isReady ? 200 : 503).header('cache-control', 'no-store')
    const status = isReady ? 'ok' : 'unavailable'
    return reply.send({ status, store: word(isStoreUp), mail: word(isMailUp) })
  })
  if (!config.metrics.enabled) return
  app.get('/metrics', async (_, reply) => {
    const totals = await store.queue.totals(clock.now()).catch(() => null)
    reply.header('cache-control', 'no-store').type('text/plain; version=0.0.4; charset=utf-8')
    return reply.send(await metrics.render(totals))
  })
}

async function checkMail({ store, clock, mail, isDelivering }: Health): Promise<boolean> {
  if (isDelivering) return (await mail.failure()) === null
  const totals = await store.queue.totals(clock.now()).catch(() => null)
  return totals !== null && (totals.oldestMs ?? 0) < longestOwedMs
}

function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  )
}
