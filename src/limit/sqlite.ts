import { RateLimiterSQLite } from 'rate-limiter-flexible'
import type { Engine } from '../store/engine.ts'
import type { Counters } from './sql.ts'

/** A connection for a library that has statements of its own, and the engine that waits for other writers. */
export interface SharedSqlite {
  readonly connection: {
    prepare(text: string): { run(...values: unknown[]): unknown }
    close(): unknown
  }
  readonly engine: Engine<unknown>
}

/** @param tableName Has been made: `key`, `points` and `expire`. */
export function sqliteCounters({ connection, engine }: SharedSqlite, tableName: string): Counters {
  const where = {
    ...{ storeClient: connection, storeType: 'better-sqlite3' },
    ...{ tableName, tableCreated: true },
  }
  return {
    ...{ engine, tableName },
    open: (options) => new RateLimiterSQLite({ ...where, ...options }),
    // The last connection that is closed in order empties the write-ahead log.
    close: async () => {
      connection.close()
    },
  }
}
