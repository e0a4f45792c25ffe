import { statSync } from 'node:fs'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { openOwnDatabase, storeFile } from '../databases.ts'
import { Opened } from '../opened.ts'
import { openUsers } from '../parts.ts'
import { pendingMigrations } from '../store/migrations.ts'
import type { Users } from '../users/users.ts'
import { faultsOf } from './files.ts'
import { type Finding, fault, good, warning } from './finding.ts'

// Machines compare times that others have written down.
const mostSkewMs = 5000

/** Whether the store can be used; nothing is made or changed in it. */
export async function examineStore({ store }: Config, clock: Clock): Promise<Finding[]> {
  const file = storeFile(store)
  // An empty file is one that nobody has used yet: to open it would write its first page.
  if (file !== null && (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) {
    return [good('store', `store.url: ${file} will be made at the first start`)]
  }
  const opened = new Opened()
  try {
    const engine = opened.add(await openOwnDatabase(store))
    await engine.checkWritable()
    const pending = await pendingMigrations(engine, store.tablePrefix)
    const theirs = await engine.run((database) => engine.dialect.now(database))
    const name = engine.place.name
    return [
      pending.length === 0
        ? good('store', `store.url: ${name} answers, its tables are up to date`)
        : warning(
            'store',
            `store.url: ${name} lacks ${pending.join(', ')}`,
            'the next start takes these steps, or "forgot-password migrate"',
          ),
      ...(theirs === null ? [] : examineClock('the database', clock.now() - theirs)),
    ]
  } catch (error) {
    return faultsOf('store', error, null)
  } finally {
    await opened.close()
  }
}

/** Whether two clocks agree. */
export function examineClock(whose: string, skewMs: number): Finding[] {
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  if (Math.abs(skewMs) < mostSkewMs) return []
  const text = `the clock of this machine is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of ${whose}: links end too early or too late`
  return [fault('clock', text, 'let a time server set both')]
}

/** Whether the accounts can be found and written as they are mapped, and what their passwords look like. */
export async function examineUsers(config: Config, clock: Clock): Promise<Finding[]> {
  if (config.users === null) {
    const text = 'users: none are configured: this is the demo, or a program hands them over'
    return [warning('users', text, 'set users.url, table and columns: see docs/users.md')]
  }
  const opened = new Opened()
  try {
    const users = await openUsers(config, clock, opened)
    return [
      good('users', 'users: accounts can be found, and their passwords written'),
      ...(await examineHashes(config, users)),
    ]
  } catch (error) {
    return faultsOf('users', error, null).map(withRemedy)
  } finally {
    await opened.close()
  }
}

/** What names a table or a column is mended there; the text of anything else says what to do. */
function withRemedy(finding: Finding): Finding {
  const isName = /^users\.(?:\w+|sessions\.\w+): there is no (?:table|column)/.test(finding.text)
  return isName ? { ...finding, remedy: 'name them in users as your database does' } : finding
}

const schemes: readonly (readonly [RegExp, string])[] = [
  [/^\$2[abxy]?\$/, 'bcrypt'],
  [/^\$argon2id\$/, 'argon2id'],
  [/^\$(?:scrypt|7)\$/, 'scrypt'],
  [/^\$argon2[id]\$/, 'another argon2'],
  [/^\$[156]\$/, 'crypt'],
  [/^\$pbkdf2/, 'PBKDF2'],
  [/^pbkdf2_sha\w+\$\d+\$/, "Django's PBKDF2"],
  [/^bcrypt(?:_sha256)?\$/, "Django's bcrypt"],
  [/^argon2\$argon2/, "Django's argon2"],
]

/** What this module writes is of the kind that the site's login reads already. */
async function examineHashes({ password }: Config, users: Users): Promise<Finding[]> {
  const samples = (await users.sampleHashes?.()) ?? []
  // Named by its kind alone: what it says besides is nobody's business.
  const kinds = samples.map((sample) => schemes.find(([pattern]) => pattern.test(sample))?.[1])
  if (kinds.includes(password.hash)) {
    return [good('passwords', `password.hash: ${password.hash}, as accounts that are there have`)]
  }
  const [theirs] = kinds.filter((kind) => kind !== undefined)
  if (theirs === undefined && samples.length === 0) return []
  const has = theirs ?? 'no kind that is known here'
  const text = `password.hash: ${password.hash} is written, but accounts that are there have ${has}`
  const isOurs = ['bcrypt', 'argon2id', 'scrypt'].includes(theirs ?? '')
  const remedy = isOurs
    ? `set password.hash: ${theirs}, or make sure that your login reads both`
    : 'make sure that your login reads both; else write the hash yourself: users in a module'
  return [warning('passwords', text, remedy)]
}
