import * as crypto from 'node:crypto'
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { isLoopback } from '../network.ts'
import { finishUsers } from './accounts.ts'
import type { Config, Parsed } from './config.ts'
import { absoluteDatabaseUrl, databaseFile } from './database-url.ts'
import type { Path } from './problems.ts'
import { finishSmtp } from './relays.ts'
import { hasPages, readRoutes, routeFaults } from './routes.ts'
import type { Environment, Source } from './source.ts'
import { defaultFolders } from './values.ts'

/**
 * The checks that look at more than one key, and the paths made absolute. Problems are added to
 * `source`; the result counts only when there are none.
 */
export function finish(
  parsed: Parsed,
  source: Source,
  { folder, env, hasUsers }: { folder: string; env: Environment; hasUsers: boolean },
): Config {
  const isDemo = parsed.users === null && !hasUsers
  const { imports: _, secret, site, ...rest } = parsed
  const url = site.url ?? demoUrl(parsed)
  const secrets = secret === null ? [] : [secret].flat()
  checkSecrets(secrets, source)
  checkPassword(parsed, source)
  const routes = readRoutes(parsed.routes)
  checkRoutes(parsed, source)
  checkRequired(parsed, source, isDemo)
  if (env['NODE_ENV'] === 'production') checkProduction(parsed, source, isDemo)
  const file = (at: Path, name: string | null) => readable(source, at, folder, name, 'file')
  const folderAt = (at: Path, name: string | null) =>
    readable(source, at, folder, optional(name, folder, source), 'folder')
  return {
    ...rest,
    site: { ...site, url },
    isSecure: url.startsWith('https:'),
    secrets,
    dataDir: resolve(folder, 'data'),
    routes,
    route: routes.find(hasPages)?.path ?? '',
    store: { ...parsed.store, url: absoluteDatabaseUrl(parsed.store.url, folder) },
    users: finishUsers(parsed, source, {
      file,
      absolute: (url) => absoluteDatabaseUrl(url, folder),
    }),
    templates: folderAt(['templates'], parsed.templates),
    locales: {
      ...parsed.locales,
      dir: folderAt(['locales', 'dir'], parsed.locales.dir),
    },
    theme: {
      ...parsed.theme,
      logo: file(['theme', 'logo'], parsed.theme.logo),
      css: file(['theme', 'css'], parsed.theme.css),
    },
    smtp: finishSmtp(parsed.smtp, { from: sender(parsed), source, file }),
    hasMailbox: hasMailbox(parsed),
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

function checkRoutes(parsed: Parsed, source: Source): void {
  for (const { key, rule } of routeFaults(parsed.routes)) source.refuse(['routes', key], rule)
  for (const [key, value] of Object.entries(parsed.routes)) {
    const method = typeof value === 'string' ? null : value.method
    if (method !== null && !parsed.recovery.methods.includes(method)) {
      source.refuse(['routes', key, 'method'], 'must be among recovery.methods')
    }
  }
  const pages = readRoutes(parsed.routes)
    .filter(hasPages)
    .map(({ path }) => path)
  if (pages.length > 1) {
    source.refuse(['routes'], `must have the pages at one path, not at ${pages.join(' and ')}`)
  }
  for (const path of pages.filter((route) => !parsed.access.free.includes(route))) {
    source.refuse(
      ['access', 'free'],
      `must hold ${path}: nobody who forgot a password can sign in first`,
    )
  }
}

/** What is required where something else is set. */
function checkRequired(parsed: Parsed, source: Source, isDemo: boolean): void {
  if (!isDemo && parsed.site.url === null) {
    source.refuse(['site', 'url'], 'is required: it is the base of every mailed link')
  }
  const { url, secret } = parsed.hooks
  if (url !== null && secret === null)
    source.refuse(['hooks', 'secret'], 'is required with hooks.url')
  if (parsed.secret === null && databaseFile(parsed.store.url) === null) {
    const rule = 'is required with such a store.url: every machine that shares it needs the same'
    source.refuse(['secret'], rule)
  }
  if (isPublic(parsed) && hasMailbox(parsed)) {
    const rule =
      'is required unless site.url is this machine: the built-in mailbox shows every link'
    source.refuse(['smtp', 'host'], rule)
  }
  if (isPublic(parsed) && parsed.preview.enabled) {
    const rule =
      'must be false unless site.url is this machine; "forgot-password preview" shows the same there'
    source.refuse(['preview', 'enabled'], rule)
  }
  if (isPublic(parsed) && parsed.site.url?.startsWith('http:')) {
    const rule = 'must be https, except on this machine: a link over http can be read on its way'
    source.refuse(['site', 'url'], rule)
  }
}

function checkProduction(parsed: Parsed, source: Source, isDemo: boolean): void {
  if (isDemo) {
    source.refuse(['users'], 'is required in production: the demo accounts are for trying only')
  }
  if (hasMailbox(parsed)) {
    source.refuse(
      ['smtp', 'host'],
      'is required in production: the built-in mailbox shows every link',
    )
  }
}

/** Whether others than the people at this machine are meant to come. */
function isPublic({ site }: Parsed): boolean {
  return site.url !== null && !isLoopback(new URL(site.url).hostname)
}

function demoUrl({ server }: Parsed): string {
  const anywhere = server.host === '0.0.0.0' || server.host === '::'
  const host = server.host.includes(':') ? `[${server.host}]` : server.host
  return `http://${anywhere ? 'localhost' : host}:${server.port}`
}

function hasMailbox({ smtp }: Parsed): boolean {
  return smtp.host === null && smtp.url === null && smtp.sendmail === null
}

function sender(parsed: Parsed): Config['smtp']['from'] {
  const { name, email } = parsed.smtp.from
  return { name: name ?? parsed.site.name, email: email ?? `no-reply@${mailHost(parsed)}` }
}

/** The host of the site, where that is a name that mail can come from. */
function mailHost({ site }: Parsed): string {
  const host = site.url === null ? '' : new URL(site.url).hostname
  return /[a-z]/i.test(host) && host.includes('.') ? host : 'site.example'
}

/** A default folder counts only beside a file, and where it is: a host's own `templates` is its own. */
function optional(folderName: string | null, folder: string, source: Source): string | null {
  const isDefault = Object.values(defaultFolders).includes(folderName ?? '')
  if (folderName === null || !isDefault) return folderName
  return source.isFile && existsSync(resolve(folder, folderName)) ? folderName : null
}

/** The absolute path of a file or folder the owner named, which must be there. */
function readable(
  source: Source,
  at: Path,
  base: string,
  name: string | null,
  kind: 'file' | 'folder',
): string | null {
  if (name === null) return null
  const path = resolve(base, name)
  try {
    accessSync(path, constants.R_OK)
    const isFolder = statSync(path).isDirectory()
    if (isFolder !== (kind === 'folder')) source.refuse(at, `must be a ${kind}`)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT' ? `there is no ${kind} ${path}` : `${path} cannot be read (${code})`
    source.refuse(at, why)
  }
  return path
}
