import { ForgotError } from '../errors.ts'
import type { Place } from './dialect.ts'

// Z13: whoever waits longer for a database is told to come back.
export const patienceMs = 5000
// A request needs one connection for some milliseconds; a thousand of them a second do with a few.
export const mostConnections = 10

/**
 * The driver of a database server, loaded now and not before: whoever keeps everything in SQLite need not
 * have it.
 *
 * @throws {ForgotError} the place's code when it is not installed.
 */
export async function loadDriver<Driver>(
  engine: string,
  name: string,
  { key, code }: Place,
): Promise<Driver> {
  try {
    return (await import(name)).default as Driver
  } catch (cause) {
    const message = `${key}: ${engine} needs the package ${name}: npm install ${name}`
    throw new ForgotError(code, message, { cause })
  }
}

/** A URL as an owner may see it in a log: without its user, its password and its options. */
export function describeUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

/** What to do about an error, by its code. */
export function remedyFor(
  remedies: readonly (readonly [RegExp, string])[],
  error: unknown,
): string | null {
  const { code = '', syscall = '' } = error as NodeJS.ErrnoException
  return remedies.find(([pattern]) => pattern.test(`${code} ${syscall}`.trim()))?.[1] ?? null
}
