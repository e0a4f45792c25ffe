import { type RawBuilder, sql } from 'kysely'
import type { UserTable } from '../config/config.ts'
import { ForgotError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { type Engine, isBusy, reasonOf } from '../store/engine.ts'

type Site = Engine<unknown>

const columnKeys = ['id', 'email', 'password', 'name', 'locale'] as const
// As many names as a person reads through.
const mostNames = 20

/**
 * Why the site's database refuses a statement: a line for each fault of the mapping, or what the database
 * says when there is none. Each name is tried in a statement of its own instead of being looked up, since
 * only the database knows which names it takes for the same and which it does not list, such as `rowid`.
 *
 * @throws {ForgotError} `ERR_FORGOT_BUSY` when another writer keeps it from being read.
 */
export async function explain(site: Site, map: UserTable, error: unknown): Promise<ForgotError> {
  const problems = await findProblems(site, map)
  if (problems.length === 0) {
    const rule = 'users: the user table does not fit its mapping in the configuration'
    problems.push(`${rule}: ${reasonOf(error)}`)
  }
  return new ForgotError('ERR_FORGOT_USERS', problems.join('\n'), { problems, cause: error })
}

async function findProblems(site: Site, map: UserTable): Promise<string[]> {
  const fault = await faultOf(() => tablesOf(site))
  if (fault !== null) return [site.unusable('cannot be read', fault).message]
  const accounts = await accountProblems(site, map)
  const sessions = await sessionProblems(site, map)
  // Writing can be tried only where all names are right.
  const isWhole = { accounts: accounts.length === 0, sessions: sessions.length === 0 }
  return [...accounts, ...sessions, ...(await writeProblems(site, map, isWhole))]
}

async function accountProblems(site: Site, map: UserTable): Promise<string[]> {
  const { table, where } = map
  const problems = await tableProblems(site, 'users.table', table)
  if (problems.length > 0) return problems
  for (const key of columnKeys) {
    const column = map[key]
    if (column === null) continue
    problems.push(...(await columnProblems(site, `users.${key}`, table, column)))
  }
  if (where === null) return problems
  const query = sql`select 1 from ${sql.table(table)} where 1 = 0 and (${sql.raw(where)})`
  const fault = await readFault(site, query)
  if (fault === null) return problems
  const rule = 'users.where: is not a condition that the database understands'
  return [...problems, `${rule}: ${reasonOf(fault)}`]
}

async function sessionProblems(site: Site, { sessions }: UserTable): Promise<string[]> {
  if (sessions === null) return []
  const { table, user } = sessions
  const problems = await tableProblems(site, 'users.sessions.table', table)
  return problems.length > 0 ? problems : columnProblems(site, 'users.sessions.user', table, user)
}

async function writeProblems(
  site: Site,
  { table, password, sessions }: UserTable,
  isWhole: { readonly accounts: boolean; readonly sessions: boolean },
): Promise<string[]> {
  try {
    await site.checkWritable()
  } catch (error) {
    if (!(error instanceof ForgotError)) throw error
    return isBusy(error) ? [] : [error.message]
  }
  const problems: string[] = []
  if (isWhole.accounts) {
    const query = sql`update ${sql.table(table)} set ${sql.ref(password)} = null where 1 = 0`
    const fault = await writeFault(site, query)
    const rule = `users.password: column "${password}" in ${table} cannot be written`
    if (fault !== null) problems.push(`${rule}: ${reasonOf(fault)}`)
  }
  if (isWhole.sessions && sessions !== null) {
    const fault = await writeFault(site, sql`delete from ${sql.table(sessions.table)} where 1 = 0`)
    const rule = `users.sessions.table: nothing can be deleted from ${sessions.table}`
    if (fault !== null) problems.push(`${rule}: ${reasonOf(fault)}`)
  }
  return problems
}

async function tableProblems(site: Site, key: string, table: string): Promise<string[]> {
  const fault = await readFault(site, sql`select 1 from ${sql.table(table)} where 1 = 0`)
  if (fault === null) return []
  const holder = { name: site.place.name, names: await tablesOf(site) }
  return [`${key}: ${nameFault('table', table, holder, fault)}`]
}

async function columnProblems(
  site: Site,
  key: string,
  table: string,
  column: string,
): Promise<string[]> {
  const query = sql`select ${sql.ref(column)} from ${sql.table(table)} where 1 = 0`
  const fault = await readFault(site, query)
  if (fault === null) return []
  const names = await site.run((database) => site.dialect.columns(database, table))
  return [`${key}: ${nameFault('column', column, { name: table, names }, fault)}`]
}

function tablesOf(site: Site): Promise<readonly string[]> {
  return site.run((database) => site.dialect.tables(database))
}

function readFault(site: Site, query: RawBuilder<unknown>): Promise<unknown> {
  return faultOf(() => site.run((database) => query.execute(database)))
}

function writeFault(site: Site, query: RawBuilder<unknown>): Promise<unknown> {
  return faultOf(() => site.rehearse((tables) => query.execute(tables)))
}

/** What some work has failed with, or `null`. */
async function faultOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work()
    return null
  } catch (error) {
    if (isBusy(error)) throw error
    return error
  }
}

/** What is wrong with a name that the database refuses, and what there is in its place. */
function nameFault(
  kind: 'table' | 'column',
  name: string,
  holder: { readonly name: string; readonly names: readonly string[] },
  fault: unknown,
): string {
  const { names } = holder
  // There, and still refused: a view of what is gone, say.
  const isThere = names.some((each) => each.toLowerCase() === name.toLowerCase())
  if (isThere) return `${kind} "${name}" in ${holder.name} cannot be read: ${reasonOf(fault)}`
  const near = nearest(name, names) ?? nearest(name.split('.').at(-1) ?? name, names)
  const hint = near === null ? '' : ` (did you mean "${near}"?)`
  return `there is no ${kind} "${name}" in ${holder.name}; it has ${list(names)}${hint}`
}

function list(names: readonly string[]): string {
  if (names.length === 0) return 'none'
  const rest = names.length > mostNames ? ', …' : ''
  return `${names.slice(0, mostNames).join(', ')}${rest}`
}
