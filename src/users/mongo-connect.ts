import type { Db, MongoClient } from 'mongodb'
import { ForgotError } from '../errors.ts'
import { scrub } from '../log.ts'

/** A database of MongoDB as it was found at the start. */
export interface Mongo {
  readonly driver: Driver
  readonly client: MongoClient
  readonly database: Db
  /** Where it is, without what is secret in its URL. */
  readonly name: string
  /** Whether it is a replica set or a sharded cluster: a server that stands alone has no transactions. */
  readonly hasTransactions: boolean
}

export type Driver = typeof import('mongodb')

/** How long a statement may take: the same as in SQL (Z13). */
export const patienceMs = 5000
const mostConnections = 10

/**
 * Connects to MongoDB. Its driver is loaded now and not before: few sites need it.
 *
 * @throws {ForgotError} `ERR_FORGOT_USERS` when the driver is not installed or nobody answers.
 */
export async function openMongo(url: string): Promise<Mongo> {
  const driver = await load()
  const name = nameOf(url)
  const client = makeClient(driver, url, name)
  try {
    const database = client.db()
    const hello = await database.command({ hello: 1 })
    const hasTransactions = hello['setName'] !== undefined || hello['msg'] === 'isdbgrid'
    return { driver, client, database, name, hasTransactions }
  } catch (error) {
    await client.close()
    throw unusable(name, 'cannot be opened', error)
  }
}

/** The error for a database that is of no use as it is, with what to do about it. */
export function unusable(name: string, fault: string, cause: unknown): ForgotError {
  const why = scrub(cause instanceof Error ? cause.message : String(cause))
  const message = `users.url: ${name} ${fault}: ${why}${remedyOf(cause)}`
  return new ForgotError('ERR_FORGOT_USERS', message, { cause })
}

async function load(): Promise<Driver> {
  try {
    return await import('mongodb')
  } catch (cause) {
    const message = 'users.url: MongoDB needs the package mongodb: npm install mongodb'
    throw new ForgotError('ERR_FORGOT_USERS', message, { cause })
  }
}

function makeClient({ MongoClient }: Driver, url: string, name: string): MongoClient {
  try {
    return new MongoClient(url, {
      appName: 'fastify-forgot-password',
      maxPoolSize: mostConnections,
      serverSelectionTimeoutMS: patienceMs,
      connectTimeoutMS: patienceMs,
      socketTimeoutMS: 2 * patienceMs,
      waitQueueTimeoutMS: patienceMs,
      // Whatever the URL says: a copy that lags behind would bring a password of yesterday back as the version.
      readPreference: 'primary',
      writeConcern: { w: 'majority', wtimeoutMS: patienceMs },
    })
  } catch {
    // Without the driver's words, which may repeat a user or a value out of the URL.
    const rule = 'is no URL that the driver takes: check its options, and % : / ? # [ ] @ of the'
    const message = `users.url: ${name} ${rule} user and the password, which are %25 %3A %2F and so on`
    throw new ForgotError('ERR_FORGOT_USERS', message)
  }
}

/** `mongodb://host:port/database`, without user, password and options; there may be several hosts. */
function nameOf(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//').replace(/\?.*$/s, '')
}

/** By MongoDB's code, or the system's. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/^18$|^8000$/, 'check the user, the password and authSource in its URL'],
  [/^13$/, 'grant its user what is missing'],
  [/^50$/, 'it has taken too long: an index may be missing'],
]

function remedyOf(error: unknown): string {
  const { code = '', name = '' } = error as { code?: unknown; name?: string }
  const known = remedies.find(([pattern]) => pattern.test(String(code)))?.[1]
  if (known !== undefined) return `; ${known}`
  return /ServerSelection|Network/.test(name) ? '; check the host and the port in its URL' : ''
}
