import type { MysqlPool } from 'kysely'
import type { Pool, PoolConnection } from 'mysql2'
import { patienceMs } from './driver.ts'

// The driver writes parameters into the SQL with backslashes, which a server can be told to take as they are.
// Without strictness a text that is too long would be cut, and 31 February a date.
const modes = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'
const limits = `innodb_lock_wait_timeout = ${patienceMs / 1000}, lock_wait_timeout = ${patienceMs / 1000}`
const session = [
  // Behind the lock of a turn a transaction must see what the one before it has written.
  'set session transaction isolation level read committed',
  // MySQL reads what MariaDB alone has as a comment.
  `set session sql_mode = '${modes}', ${limits} /*M!, max_statement_time = ${patienceMs / 1000},
    idle_transaction_timeout = ${(2 * patienceMs) / 1000} */`,
]

/** Hands over connections that have been told how to work, in time or not at all: the driver would wait for ever. */
export function prepared(pool: Pool): MysqlPool {
  const told = new WeakSet<PoolConnection>()
  const prepare = async (connection: PoolConnection): Promise<void> => {
    if (told.has(connection)) return
    for (const text of session) await connection.promise().query(text)
    told.add(connection)
  }
  const take = (): Promise<PoolConnection> =>
    new Promise((resolve, reject) => {
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        reject(Object.assign(new Error('No connection was free'), { code: 'ETIMEDOUT' }))
      }, patienceMs)
      pool.getConnection((error, connection) => {
        clearTimeout(timer)
        if (error) reject(error)
        else if (isLate) connection.release()
        else resolve(connection)
      })
    })
  const open = async (): Promise<PoolConnection> => {
    const connection = await take()
    try {
      await prepare(connection)
      return connection
    } catch (error) {
      connection.destroy()
      throw error
    }
  }
  return {
    getConnection: (callback) => {
      open().then(
        (connection) => callback(null, connection as never),
        (error: unknown) => callback(error, undefined as never),
      )
    },
    end: (callback) => pool.end(callback),
  }
}
