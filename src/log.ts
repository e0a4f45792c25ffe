/** Where the module reports to the owner; Fastify's own logger fits it. */
export interface Log {
  info(data: object, message: string): void
  warn(data: object, message: string): void
  error(data: object, message: string): void
}

/** A log that keeps nothing. */
export const silentLog: Log = { info: () => {}, warn: () => {}, error: () => {} }

/** A line of JSON for each report, on standard error: where no server brings a log of its own. */
export const lineLog: Log = {
  info: () => {},
  warn: (data, message) => writeLine('warn', data, message),
  error: (data, message) => writeLine('error', data, message),
}

function writeLine(level: string, data: object, message: string): void {
  const line = { level, time: new Date().toISOString(), ...data, msg: message }
  process.stderr.write(`${JSON.stringify(line)}\n`)
}

// Cut first: what follows looks at each character more than once.
const longestText = 300

/**
 * Another program's words, fit for a log: without addresses, without anything as long as a token, on
 * one line and not endless. Mail servers like to repeat the recipient in their refusals.
 */
export function scrub(text: string): string {
  return text
    .slice(0, longestText)
    .replace(/[^\s<>"'(),;:]+@[^\s<>"'(),;:]+/g, '[address]')
    .replace(/[A-Za-z0-9_-]{32,}/g, '[redacted]')
    .replace(/\p{Cc}+/gu, ' ')
}

/** An error as it may be logged. */
interface LoggedError {
  readonly [detail: string]: unknown
  readonly type: string
  readonly message: string
  /** Where it was thrown; the message, which may hold an address, is not repeated. */
  readonly stack: string
}

/** An error's kind, code, scrubbed message and origin, and the same of what caused it. */
export function describeError(error: unknown): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: '', stack: '' }
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? []
  return {
    type: error.name,
    ...('code' in error ? { code: error.code } : {}),
    message: scrub(error.message),
    stack: frames.slice(0, 6).join('\n'),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  }
}
