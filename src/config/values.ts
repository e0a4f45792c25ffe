import { isIP } from 'node:net'
import { z } from 'zod'
import type { Limit, Milliseconds } from '../units.ts'
import { databaseFile } from './database-url.ts'

/** `500ms`, `90s`, `10m`, `1h` or `1d`, as a configuration spells it. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`
/** `5/1h`: that many in that time; `off`: no limit. */
export type LimitText = `${number}/${Duration}` | 'off'

const unitMs: Record<string, Milliseconds> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const durationPattern = /^(\d{1,9})(ms|s|m|h|d)$/
const limitPattern = /^(\d{1,9})\/(\d{1,9}(?:ms|s|m|h|d))$/

/** Folders beside a configuration file that are used where there are any. */
export const defaultFolders: { readonly templates: string; readonly locales: string } = {
  templates: './templates',
  locales: './locales',
}

/** Text that is not empty. */
export const text = (rule: string): z.ZodString => z.string(rule).min(1, rule)

/** A TCP port. */
export const port: z.ZodInt = z
  .int('must be a port, 1 to 65535')
  .min(1, 'must be a port, 1 to 65535')
  .max(65_535, 'must be a port, 1 to 65535')

const hostRule = 'must be the name or address of a machine'

/** A host name, or an IP address without brackets. */
export const hostName: z.ZodString = z.string(hostRule).regex(/^[\p{L}\p{N}._:-]+$/u, hostRule)

const databaseRule =
  'must be sqlite:<file>, such as sqlite:data/forgot-password.db, postgres://user:password@host/database or mysql://user:password@host/database'

/** A database; its password is never told. */
export const databaseUrl: z.ZodString = z.string(databaseRule).refine((text) => {
  // Several connections are opened, and each would have a memory of its own.
  const file = databaseFile(text)
  if (file !== null) return file !== '' && file !== ':memory:'
  return /^(?:postgres|postgresql|mysql|mariadb):\/\/[^/]*\/[^/]+$/.test(text) && URL.canParse(text)
}, databaseRule)

const smtpUrlRule =
  'must be smtp://user:password@host:port, or smtps://; % and @ in the first two as %25 and %40'

/** A mail server's address; its password is never told. */
export const smtpUrl: z.ZodString = z.string(smtpUrlRule).refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : null
  return (
    url !== null &&
    /^smtps?:$/.test(url.protocol) &&
    url.hostname !== '' &&
    /^\/?$/.test(url.pathname) &&
    url.search === '' &&
    url.hash === '' &&
    isDecodable(url.username + url.password)
  )
}, smtpUrlRule)

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function parseDuration(text: string): Milliseconds {
  const [, amount, unit = ''] = durationPattern.exec(text) ?? []
  return Number(amount) * (unitMs[unit] ?? Number.NaN)
}

function parseLimit(text: string): Limit {
  const [, count, duration = ''] = limitPattern.exec(text) ?? []
  return { count: Number(count), windowMs: parseDuration(duration) }
}

/** `90s`, `10m`, `1h`: between `min` and `max`, read as milliseconds. */
export function duration(min: string, max: string): z.ZodType<Milliseconds> {
  const rule = `must be a duration from ${min} to ${max}, such as 90s, 10m or 1h`
  return z
    .string(rule)
    .regex(durationPattern, { error: rule, abort: true })
    .refine((text) => {
      const ms = parseDuration(text)
      return ms >= parseDuration(min) && ms <= parseDuration(max)
    }, rule)
    .transform(parseDuration)
}

const limitRule = 'must be count/duration, such as 5/1h and 24d at most, or off'
// What is counted is kept for as long.
const longestWindowMs = 24 * 86_400_000
const limitText = z
  .string(limitRule)
  .regex(limitPattern, { error: limitRule, abort: true })
  .refine((text) => {
    const limit = parseLimit(text)
    return limit.count > 0 && limit.windowMs > 0 && limit.windowMs <= longestWindowMs
  }, limitRule)
  .transform(parseLimit)
const off = z.literal('off', limitRule).transform((): Limit[] => [])

/** One `count/duration`, or `off`: read as a list of none or one. */
export const oneLimit: z.ZodType<readonly Limit[]> = z.union(
  [off, limitText.transform((limit): Limit[] => [limit])],
  limitRule,
)

/** Several `count/duration` that all hold, or one, or `off`. */
export const limits: z.ZodType<readonly Limit[]> = z.union(
  [off, limitText.transform((limit): Limit[] => [limit]), z.array(limitText).min(1)],
  'must be count/duration, a list of them such as [1/60s, 5/1h], 24d at most, or off',
)

/** An absolute path of a site, such as `/user/login`. */
export const sitePath: z.ZodString = z
  .string('must be a path such as /user/login')
  .regex(/^\/(?!\/)[^\s?#\\]*$/, 'must be a path such as /user/login: no host, query or blanks')

/** A path of this site or an address elsewhere; `javascript:` and its like are refused. */
export const link: z.ZodString = z
  .string('must be a path, an https address or mailto:')
  .regex(
    /^(?:\/(?!\/)[^\s\\]*|https?:\/\/[^\s]+|mailto:[^\s@]+@[^\s]+)$/,
    'must be a path such as /help, an https address, or mailto:',
  )

const linkUrlRule =
  'must be a path or an https address with {token} in it, such as /reset?token={token}'

/** A link's address with its placeholders; http is for this machine alone. */
export const linkUrl: z.ZodString = z
  .string(linkUrlRule)
  .regex(
    /^(?:https:\/\/[^\s/]+|http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?)?\/(?!\/)[^\s\\]*$/,
    linkUrlRule,
  )
  .refine((text) => text.includes('{token}'), linkUrlRule)
  .refine(
    (text) => text.replace(/\{(?:token|reference|sealedEmail)\}/g, '').match(/[{}]/) === null,
    'must have no placeholders but {token}, {reference} and {sealedEmail}',
  )

/** An endpoint that is posted to; http is for this machine alone. */
export const hookUrl: z.ZodString = z
  .string('must be an https address')
  .regex(
    /^(?:https:\/\/[^\s/@]+|http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?)(?:\/[^\s]*)?$/,
    'must be an https address',
  )

/** A range API in the manner of Have I Been Pwned: five hex digits are added. */
export const breachUrl: z.ZodString = z
  .string()
  .regex(
    /^(?:https:\/\/[^\s/]+|http:\/\/(?:localhost|127\.0\.0\.1)(?::\d+)?)\/[^\s?#]*$/,
    'must be an https address',
  )

/** The origin the site is reached at: its links are built from this and never from a request. */
export const siteUrl: z.ZodType<string> = z
  .string('must be an address such as https://example.com')
  .refine((text) => {
    const url = URL.canParse(text) ? new URL(text) : null
    return url !== null && /^https?:$/.test(url.protocol) && text.replace(/\/$/, '') === url.origin
  }, 'must be an origin such as https://example.com: no path, query or user')
  .transform((text) => new URL(text).origin)

/** A name such as `users` or `auth.users`: it is quoted, never pasted. */
export const sqlName: z.ZodString = z
  .string('must be a name')
  .regex(
    /^[\p{L}_][\p{L}\p{N}_$]*(?:\.[\p{L}_][\p{L}\p{N}_$]*)?$/u,
    'must be the name of a table or column',
  )

export const networksRule: string =
  'must be true, false or the addresses of your proxies, such as 127.0.0.1 or 10.0.0.0/8: how many there are can be spoofed'

/** Addresses and CIDR ranges, with commas between them. */
export const networks: z.ZodType<string> = z.string(networksRule).refine(
  (text) =>
    text.split(',').every((each) => {
      const [address = '', bits = '0', rest] = each.trim().split('/')
      const most = isIP(address) === 4 ? 32 : 128
      return (
        isIP(address) !== 0 && rest === undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= most
      )
    }),
  networksRule,
)
