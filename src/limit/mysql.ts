import { RateLimiterMySQL } from 'rate-limiter-flexible'
import type { Engine } from '../store/engine.ts'
import type { Counters } from './sql.ts'

/** A pool for a library that has statements of its own, and the engine that tries again. */
export interface SharedMysql {
  readonly pool: object
  readonly engine: Engine<unknown>
  /** The database of its tables. */
  readonly name: string
}

/** @param tableName Has been made: `key`, `points` and `expire`. */
export function mysqlCounters({ pool, engine, name }: SharedMysql, tableName: string): Counters {
  const where = {
    ...{ storeClient: pool, storeType: 'pool', dbName: name, tableName, tableCreated: true },
    clearExpiredByTimeout: false,
  }
  return {
    ...{ engine, tableName },
    open: (options) => new RateLimiterMySQL({ ...where, ...options }),
    close: () => engine.close(),
  }
}
