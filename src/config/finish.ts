import * as crypto from 'node:crypto'
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Config, Parsed } from './config.ts'
import type { Environment, Path, Source } from './source.ts'
import { defaultFolders, isLoopback } from './values.ts'

/**
 * The checks that look at more than one key, and the paths made absolute. Problems are added to
 * `source`; the result counts only when there are none.
 */
export function finish(parsed: Parsed, source: Source, folder: string, env: Environment): Config {
  const { imports: _, secret, site, ...rest } = parsed
  const secrets = secret === null ? [] : [secret].flat()
  checkSecrets(secrets, source)
  checkPassword(parsed, source)
  checkRoutes(parsed, source)
  checkOffline(parsed, source)
  if (env['NODE_ENV'] === 'production') checkProduction(parsed, source)
  const path = (at: Path, file: string | null) => readable(source, at, folder, file)
  return {
    ...rest,
    site: { ...site, url: site.url ?? demoUrl(parsed) },
    secrets,
    dataDir: resolve(folder, 'data'),
    route: forgotRoutes(parsed)[0] ?? '',
    store: { ...parsed.store, url: absoluteUrl(parsed.store.url, folder) },
    users: parsed.users && { ...parsed.users, url: absoluteUrl(parsed.users.url, folder) },
    templates: path(['templates'], optional(parsed.templates, folder, source)),
    locales: {
      ...parsed.locales,
      dir: path(['locales', 'dir'], optional(parsed.locales.dir, folder, source)),
    },
    theme: {
      ...parsed.theme,
      logo: path(['theme', 'logo'], parsed.theme.logo),
      css: path(['theme', 'css'], parsed.theme.css),
    },
    smtp: {
      ...parsed.smtp,
      from: {
        name: parsed.smtp.from.name ?? site.name,
        email: parsed.smtp.from.email ?? `no-reply@${mailHost(parsed)}`,
      },
      tls: { ...parsed.smtp.tls, ca: path(['smtp', 'tls', 'ca'], parsed.smtp.tls.ca) },
    },
  }
}

// 256 bits: as many as the HMAC-SHA-256 that is keyed with it (RFC 2104 §3).
const shortestSecretBytes = 32

function checkSecrets(secrets: readonly string[], source: Source): void {
  for (const [index, secret] of secrets.entries()) {
    const isHex = /^[0-9a-f]*$/i.test(secret)
    const bytes = isHex ? secret.length / 2 : Buffer.byteLength(secret)
    if (bytes >= shortestSecretBytes) continue
    const path = secrets.length > 1 ? ['secret', index] : ['secret']
    source.refuse(path, 'must be 32 random bytes or more: make one with "openssl rand -hex 32"')
  }
}

function checkPassword({ password }: Parsed, source: Source): void {
  if (password.hash === 'argon2id' && !('argon2' in crypto)) {
    source.refuse(
      ['password', 'hash'],
      'argon2id needs Node 24.7 or later: use it, or bcrypt or scrypt',
    )
  }
}

function forgotRoutes({ routes }: Parsed): string[] {
  return Object.keys(routes).filter((path) => routes[path] === 'forgot')
}

function checkRoutes(parsed: Parsed, source: Source): void {
  const forgot = forgotRoutes(parsed)
  if (forgot.length !== 1) {
    source.refuse(['routes'], `must have one route for forgot, not ${forgot.length}`)
  }
  for (const path of forgot.filter((route) => !parsed.access.free.includes(route))) {
    source.refuse(
      ['access', 'free'],
      `must hold ${path}: nobody who forgot a password can sign in first`,
    )
  }
}

/** What only the demo may leave open. */
function checkOffline(parsed: Parsed, source: Source): void {
  if (parsed.users !== null && parsed.site.url === null) {
    source.refuse(['site', 'url'], 'is required: it is the base of every mailed link')
  }
  if (parsed.smtp.pass !== null && parsed.smtp.user === null) {
    source.refuse(['smtp', 'user'], 'is required with smtp.pass')
  }
}

function checkProduction(parsed: Parsed, source: Source): void {
  if (parsed.users === null) {
    source.refuse(['users'], 'is required in production: the demo accounts are for trying only')
  }
  if (parsed.smtp.host === null) {
    source.refuse(
      ['smtp', 'host'],
      'is required in production: the built-in mailbox shows every link',
    )
  }
  const url = new URL(parsed.site.url ?? 'https://unset.invalid')
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    source.refuse(
      ['site', 'url'],
      'must be https in production: a link over http can be read on its way',
    )
  }
}

function demoUrl({ server }: Parsed): string {
  const anywhere = server.host === '0.0.0.0' || server.host === '::'
  const host = server.host.includes(':') ? `[${server.host}]` : server.host
  return `http://${anywhere ? 'localhost' : host}:${server.port}`
}

/** The host of the site, where that is a name that mail can come from. */
function mailHost({ site }: Parsed): string {
  const host = site.url === null ? '' : new URL(site.url).hostname
  return /[a-z]/i.test(host) && host.includes('.') ? host : 'site.example'
}

function absoluteUrl(url: string, folder: string): string {
  const file = url.slice('sqlite:'.length)
  return file === ':memory:' ? url : `sqlite:${resolve(folder, file)}`
}

/** A default folder counts only beside a file, and where it is: a host's own `templates` is its own. */
function optional(folderName: string | null, folder: string, source: Source): string | null {
  const isDefault = Object.values(defaultFolders).includes(folderName ?? '')
  if (folderName === null || !isDefault) return folderName
  return source.isFile && existsSync(resolve(folder, folderName)) ? folderName : null
}

/** The absolute path of a file or folder the owner named, which must be there. */
function readable(source: Source, at: Path, folder: string, file: string | null): string | null {
  if (file === null) return null
  const path = resolve(folder, file)
  const wantsFolder = at[0] === 'templates' || at[1] === 'dir'
  try {
    accessSync(path, constants.R_OK)
    const isFolder = statSync(path).isDirectory()
    if (isFolder !== wantsFolder) {
      source.refuse(at, wantsFolder ? 'must be a folder' : 'must be a file')
    }
  } catch (error) {
    source.refuse(at, `cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  return path
}
