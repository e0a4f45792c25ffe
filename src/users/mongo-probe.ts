import type { Document, Filter } from 'mongodb'
import type { UserCollection } from '../config/config.ts'
import { ForgotError } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { type Mongo, patienceMs, unusable } from './mongo-connect.ts'

// As many names as a person reads through.
const mostNames = 20

/**
 * Finds out whether the accounts are as mapped. MongoDB takes any name, and would find nobody under a wrong one:
 * so there must be the collections, and where they are not empty, a document with each field that is needed.
 *
 * @throws {ForgotError} `ERR_FORGOT_USERS` with a line for each collection or field that is not there, or with what the
 *   database refuses.
 */
export async function probe(mongo: Mongo, map: UserCollection): Promise<void> {
  try {
    const problems = [
      ...(await accountProblems(mongo, map)),
      ...(await sessionProblems(mongo, map)),
    ]
    if (problems.length > 0)
      throw new ForgotError('ERR_FORGOT_USERS', problems.join('\n'), { problems })
    await tryWriting(mongo, map)
  } catch (error) {
    if (error instanceof ForgotError) throw error
    throw unusable(mongo.name, 'cannot be used', error)
  }
}

async function accountProblems(mongo: Mongo, map: UserCollection): Promise<string[]> {
  const missing = await collectionProblems(mongo, 'users.table', map.table)
  if (missing.length > 0) return missing
  const isThere = { $exists: true }
  const isText = { $type: 'string' }
  return [
    ...(await fieldProblems(mongo, 'users.id', map.table, { [map.id]: isThere })),
    ...(await fieldProblems(mongo, 'users.email', map.table, { [map.email]: isText })),
    ...(await fieldProblems(mongo, 'users.password', map.table, { [map.password]: isText })),
  ]
}

async function sessionProblems(mongo: Mongo, { sessions }: UserCollection): Promise<string[]> {
  if (sessions === null) return []
  const { table, user } = sessions
  const missing = await collectionProblems(mongo, 'users.sessions.table', table)
  if (missing.length > 0) return missing
  return fieldProblems(mongo, 'users.sessions.user', table, { [user]: { $exists: true } })
}

/** Writes to nobody: it fails where nothing may be written. */
async function tryWriting(
  { database, driver }: Mongo,
  { table, id, password, sessions }: UserCollection,
): Promise<void> {
  const nobody = { $eq: new driver.ObjectId() }
  await database.collection(table).updateOne({ [id]: nobody }, { $set: { [password]: '' } })
  if (sessions !== null) {
    await database.collection(sessions.table).deleteMany({ [sessions.user]: nobody })
  }
}

async function collectionProblems(
  { database, name }: Mongo,
  key: string,
  table: string,
): Promise<string[]> {
  const all = await database
    .listCollections({}, { nameOnly: true, authorizedCollections: true })
    .toArray()
  const names = all.map((each) => each.name)
  if (names.includes(table)) return []
  return [`${key}: there is no collection "${table}" in ${name}; it ${instead(table, names)}`]
}

async function fieldProblems(
  { database }: Mongo,
  key: string,
  table: string,
  condition: Filter<Document>,
): Promise<string[]> {
  const collection = database.collection(table)
  const options = { maxTimeMS: patienceMs }
  if ((await collection.findOne(condition, options)) !== null) return []
  const other = await collection.findOne({}, options)
  if (other === null) return []
  const [field = ''] = Object.keys(condition)
  const rule = `no document in ${table} has field "${field}" as it must be`
  return [`${key}: ${rule}; one of them ${instead(field, Object.keys(other))}`]
}

function instead(name: string, names: readonly string[]): string {
  const near = nearest(name, names)
  const hint = near === null ? '' : ` (did you mean "${near}"?)`
  const rest = names.length > mostNames ? ', …' : ''
  return `has ${names.slice(0, mostNames).join(', ') || 'none'}${rest}${hint}`
}
