import type { Limit, Milliseconds } from '../units.ts'
import type {
  ParsedUsers,
  UserCollection,
  UserCollectionInput,
  UserEndpoint,
  UserEndpointInput,
  UserTable,
  UserTableInput,
} from './accounts.ts'
import type { Duration, LimitText } from './values.ts'

export type { UserCollection, UserEndpoint, UserTable, UserTableInput } from './accounts.ts'

/** What a route does; a module's name is how an @itrocks router spells `forgot`. */
export type RouteAction =
  | 'forgot'
  | 'well-known'
  | '@itrocks/forgot-password'
  | 'fastify-forgot-password'

/** How people prove that a mailbox is theirs. */
export type RecoveryMethod = 'link' | 'code'

/** A body of an answer: texts name values, everything else stands for itself. */
export interface ResponseShape {
  readonly [name: string]: string | number | boolean | null | ResponseShape
}

/** A route that does one thing only, for front ends that have names of their own. */
export interface RouteInput {
  action: 'forgot'
  step?: 'request' | 'verify' | 'open' | 'change' | null
  method?: RecoveryMethod | null
  format?: 'html' | 'json' | null
  fields?: Record<string, string>
  response?: ResponseShape | null
}

/** How a mail server is reached. */
export interface RelayInput {
  url?: string | null
  host?: string | null
  port?: number
  secure?: boolean
  starttls?: 'required' | 'offered' | 'never' | null
  user?: string | null
  pass?: string | null
  tls?: { ca?: string | null; rejectUnauthorized?: boolean | null }
  clientName?: string | null
}

/** A key that mails are signed with (RFC 6376). */
export interface DkimInput {
  selector: string
  key: string
  domain?: string | null
}

/**
 * What `config.yaml`, or an object given to the plugin, may hold. What each key means, its unit, its
 * default and the reason for it stand beside the key in `config.yaml`; `schema.ts` has the rules.
 */
export interface ConfigInput {
  imports?: string[]
  site?: { name?: string; url?: string | null; loginUrl?: string; supportUrl?: string | null }
  server?: {
    host?: string
    port?: number
    processes?: number | 'auto'
    trustProxy?: boolean | string
  }
  routes?: Record<string, RouteAction | RouteInput>
  access?: { free?: string[] }
  secret?: string | string[] | null
  recovery?: {
    methods?: RecoveryMethod[]
    linkLifetime?: Duration
    linkUrl?: string | null
    codeLifetime?: Duration
    codeDigits?: number
    codeTries?: number
    dailyTries?: number
    unknownAddress?: 'silent' | 'mail'
  }
  password?: {
    minLength?: number
    maxLength?: number
    confirm?: boolean
    hash?: 'bcrypt' | 'argon2id' | 'scrypt'
    cost?: number
    blockCommon?: boolean
    strength?: number
    breached?: boolean | string
    composition?: 'none' | ('lower' | 'upper' | 'digit' | 'special')[]
  }
  limits?: {
    perAccount?: LimitText | LimitText[]
    perClient?: LimitText
    badProofs?: LimitText
    wrongCodes?: LimitText
  }
  smtp?: RelayInput & {
    fallback?: RelayInput | null
    sendmail?: string | null
    from?: { name?: string | null; email?: string | null }
    replyTo?: string | null
    returnPath?: string | null
    headers?: Record<string, string>
    dkim?: DkimInput | DkimInput[] | null
    timeout?: Duration
    pool?: number
    limit?: LimitText
    domainLimits?: Record<string, LimitText>
  }
  mail?: { retries?: Duration[]; notifyChanged?: boolean }
  store?: { url?: string; tablePrefix?: string }
  /** A table, a collection or an endpoint; as text, an endpoint's address or the file of an ES module. */
  users?: UserTableInput | UserCollectionInput | UserEndpointInput | string | null
  locales?: { default?: string; offer?: 'auto' | string[]; dir?: string | null }
  templates?: string | null
  theme?: { accent?: string; logo?: string | null; css?: string | null; layout?: boolean }
  hooks?: { url?: string | null; secret?: string | null }
  log?: { level?: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent' }
  metrics?: { enabled?: boolean }
  preview?: { enabled?: boolean }
}

/** A checked configuration: every key present, durations in milliseconds, limits as lists. */
export interface Parsed extends Omit<Resolved<ConfigInput>, 'users'> {
  readonly users: ParsedUsers | string | null
}

/** What the module runs on: {@link Parsed} with its paths absolute and nothing left open, frozen. */
export interface Config
  extends Omit<Parsed, 'imports' | 'routes' | 'secret' | 'site' | 'smtp' | 'users'> {
  readonly routes: readonly Route[]
  readonly site: Parsed['site'] & { readonly url: string }
  readonly smtp: Smtp
  /** Where the accounts are; text is the path of an ES module. */
  readonly users: UserTable | UserCollection | UserEndpoint | string | null
  /** The key ring: the first signs, all verify. Empty: it is kept in `secret.key` in {@link dataDir}. */
  readonly secrets: readonly string[]
  /** The folder for what is not told to lie elsewhere: the key and the mailbox. */
  readonly dataDir: string
  /** Whether visitors reach the site over https. */
  readonly isSecure: boolean
  /** Whether mails are kept in the built-in mailbox, since nothing is configured that could send them. */
  readonly hasMailbox: boolean
  /** Path of the one route that has the pages. */
  readonly route: string
}

/** How mails leave. */
export interface Smtp
  extends Pick<
    Parsed['smtp'],
    'domainLimits' | 'headers' | 'limit' | 'pool' | 'replyTo' | 'sendmail' | 'timeout'
  > {
  /** The mail servers, in the order in which they are tried. None, and no `sendmail`: the built-in mailbox. */
  readonly relays: readonly Relay[]
  readonly from: { readonly name: string; readonly email: string }
  readonly returnPath: string
  readonly dkim: readonly DkimKey[]
}

/** A key that mails are signed with: `key` is the path of its file. */
export type DkimKey = Readonly<Record<keyof DkimInput, string>>

/** One mail server. */
export interface Relay extends Omit<Resolved<RelayInput>, 'url' | 'host'> {
  readonly host: string
}

/** One route, as the server is to answer it. */
export interface Route extends Omit<Resolved<RouteInput>, 'action'> {
  readonly path: string
  /** `null`: all that its action answers to. */
  readonly methods: readonly string[] | null
  readonly action: 'forgot' | 'well-known'
}

/** What an input is after it was checked: nothing left out, and read. */
export type Resolved<T> = T extends LimitText | readonly LimitText[]
  ? readonly Limit[]
  : T extends Duration
    ? Milliseconds
    : T extends readonly (infer U)[]
      ? readonly Resolved<U>[]
      : T extends object
        ? { readonly [K in keyof T]-?: Resolved<Exclude<T[K], undefined>> }
        : T
