import type { Milliseconds } from '../units.ts'
import type { Parsed, Resolved } from './config.ts'
import type { Path } from './problems.ts'
import { type Source, valueAt } from './source.ts'
import type { Duration } from './values.ts'

/** Where a site keeps its accounts, and what it calls their columns. */
export interface UserTableInput {
  url: string
  table?: string
  id?: string
  email?: string
  password?: string
  name?: string | null
  locale?: string | null
  where?: string | null
  sessions?: { table: string; user: string } | null
}

/** What fields must hold: these very values, and never an operator. */
type FieldValues = Record<string, string | number | boolean | null>

/** The same of accounts in MongoDB: a collection, its fields, and what some of them must hold. */
export interface UserCollectionInput extends Omit<UserTableInput, 'where'> {
  where?: FieldValues | null
}

/** The site's own endpoint that knows the accounts. */
export interface UserEndpointInput {
  url: string
  secret?: string | null
  timeout?: Duration
}

/** `users:` with the keys of every kind, before it is looked at which of them belong together. */
export type ParsedUsers = Resolved<
  Omit<UserTableInput, 'where'> & { where?: string | FieldValues | null } & UserEndpointInput
>

/** A table of accounts, every key present. */
export type UserTable = Resolved<UserTableInput>

/** A collection of accounts, every key present. */
export type UserCollection = Resolved<UserCollectionInput>

/** An endpoint that knows the accounts. */
export interface UserEndpoint {
  readonly url: string
  /** What every question is signed with. */
  readonly secret: string
  readonly timeoutMs: Milliseconds
  /** Sessions are its own business: it ends them as it writes a password. */
  readonly sessions?: never
}

// Whoever starts from the written configuration leaves what it has: a key counts once it says something else.
const mappingDefaults = {
  table: 'users',
  id: 'id',
  email: 'email',
  password: 'password',
  name: null,
  locale: null,
  where: null,
  sessions: null,
}
const endpointDefaults = { secret: null, timeout: 3000 }

type Finished = UserTable | UserCollection | UserEndpoint

/**
 * `users:` as one of its kinds, as its URL says: a table, a collection or an endpoint; or the path of a module.
 *
 * @param places How a file that must be there is found, and a database whose file is relative.
 */
export function finishUsers(
  parsed: Parsed,
  source: Source,
  places: {
    readonly file: (at: Path, name: string) => string | null
    readonly absolute: (url: string) => string
  },
): Finished | string | null {
  const { users, hooks } = parsed
  if (users === null) return null
  if (typeof users !== 'string') {
    const finished = finishKeys(users, hooks.secret, source)
    return { ...finished, url: places.absolute(finished.url) }
  }
  if (!isEndpoint(users)) return places.file(['users'], users)
  if (hooks.secret === null) {
    source.refuse(['hooks', 'secret'], 'is required with an endpoint in users: it signs there too')
  }
  return { url: users, secret: hooks.secret ?? '', timeoutMs: endpointDefaults.timeout }
}

function finishKeys(
  { secret, timeout, where, ...mapping }: ParsedUsers,
  hookSecret: string | null,
  source: Source,
): Finished {
  const { url } = mapping
  if (isEndpoint(url)) {
    const rule = 'does not go with an endpoint, which knows this by itself'
    refuseOthers({ ...mapping, where }, mappingDefaults, { rule, source })
    const signing = secret ?? hookSecret
    if (signing === null) {
      source.refuse(['users', 'secret'], 'is required with an endpoint, here or as hooks.secret')
    }
    return { url, secret: signing ?? '', timeoutMs: timeout }
  }
  const rule = 'goes with an endpoint alone'
  refuseOthers({ secret, timeout }, endpointDefaults, { rule, source })
  return url.startsWith('mongodb')
    ? finishCollection(mapping, where, source)
    : finishTable(mapping, where, source)
}

function isEndpoint(url: string): boolean {
  return /^https?:/.test(url)
}

type Mapping = Omit<UserTable, 'where'>

function finishTable(mapping: Mapping, where: ParsedUsers['where'], source: Source): UserTable {
  if (typeof where !== 'object') return { ...mapping, where }
  if (where !== null) {
    source.refuse(['users', 'where'], "must be an SQL condition, such as 'active = 1'")
  }
  return { ...mapping, where: null }
}

function finishCollection(
  mapping: Mapping,
  where: ParsedUsers['where'],
  source: Source,
): UserCollection {
  const isNamed = valueAt(source.value, ['users', 'id']) !== undefined
  const id = isNamed ? mapping.id : '_id'
  if (typeof where !== 'string') return { ...mapping, id, where }
  const rule = 'must be fields with their values for MongoDB, such as { active: true }'
  source.refuse(['users', 'where'], rule)
  return { ...mapping, id, where: null }
}

/** Refuses what the owner has set although it means nothing here. */
function refuseOthers(
  values: Readonly<Record<string, unknown>>,
  defaults: Readonly<Record<string, unknown>>,
  { rule, source }: { readonly rule: string; readonly source: Source },
): void {
  for (const [key, value] of Object.entries(defaults)) {
    if (values[key] !== value) source.refuse(['users', key], rule)
  }
}
