import { RateLimiterPostgres } from 'rate-limiter-flexible'
import type { Engine } from '../store/engine.ts'
import type { Counters } from './sql.ts'

/** A pool for a library that has statements of its own, and the engine that tries again. */
export interface SharedPostgres {
  readonly pool: {
    query(text: string, values: unknown[]): Promise<unknown>
    end(): Promise<void>
  }
  readonly engine: Engine<unknown>
}

/** @param tableName Has been made: `key`, `points` and `expire`. */
export function postgresCounters({ pool, engine }: SharedPostgres, tableName: string): Counters {
  const where = {
    ...{ storeClient: pool, storeType: 'pool', tableName, tableCreated: true },
    clearExpiredByTimeout: false,
  }
  return {
    ...{ engine, tableName },
    open: (options) => new RateLimiterPostgres({ ...where, ...options }),
    close: () => pool.end(),
  }
}
