import type { ClientSession, Document, Filter } from 'mongodb'
import { foldAscii } from '../address.ts'
import type { UserCollection } from '../config/config.ts'
import { ForgotError } from '../errors.ts'
import type { User } from '../user.ts'
import { type Mongo, openMongo, patienceMs } from './mongo-connect.ts'
import { formsOf, textOf } from './mongo-id.ts'
import { probe } from './mongo-probe.ts'
import type { Users } from './users.ts'

type Condition = Filter<Document>

/**
 * The accounts in a collection of MongoDB, under whatever names its fields have. Each condition is made here of a
 * field of the mapping and a plain value, so that nothing typed can be an operator.
 */
export class MongoUsers implements Users {
  readonly #mongo: Mongo
  readonly #map: UserCollection

  private constructor(mongo: Mongo, map: UserCollection) {
    this.#mongo = mongo
    this.#map = map
  }

  /**
   * The accounts of a database, once it has shown that it can be read and written as mapped.
   *
   * @throws {ForgotError} `ERR_FORGOT_USERS` when it cannot be reached, with a line for each collection or field that
   *   it does not know.
   */
  static async open(map: UserCollection): Promise<MongoUsers> {
    const mongo = await openMongo(map.url)
    try {
      await probe(mongo, map)
      return new MongoUsers(mongo, map)
    } catch (error) {
      await mongo.client.close()
      throw error
    }
  }

  async findByEmail(email: string): Promise<User | null> {
    const field = this.#map.email
    const exact = await this.#select({ [field]: { $eq: email } })
    if (exact.length > 0) return only(exact)
    // $toLower fails for what is no text, and a text with a $ in front would be a field without $literal.
    const isText = { $eq: [{ $type: `$${field}` }, 'string'] }
    const folded = { $toLower: { $cond: [isText, `$${field}`, ''] } }
    const found = await this.#select({
      $expr: { $eq: [folded, { $literal: foldAscii(email) }] },
    })
    // MongoDB promises nothing of $toLower beyond ASCII (CVE-2019-19844).
    const isSame = (user: User) => foldAscii(user.email) === foldAscii(email)
    return found.every(isSame) ? only(found) : null
  }

  async findById(id: string): Promise<User | null> {
    return only(await this.#select(this.#has(this.#map.id, id)))
  }

  setPassword(user: User, hash: string): Promise<boolean> {
    return this.#run(() =>
      this.#mongo.hasTransactions ? this.#setAtOnce(user, hash) : this.#setInOrder(user, hash),
    )
  }

  async endSessions(id: string): Promise<void> {
    await this.#run(() => this.#deleteSessions(id))
  }

  close(): Promise<void> {
    return this.#mongo.client.close()
  }

  #setAtOnce(user: User, hash: string): Promise<boolean> {
    const giveUpAt = performance.now() + patienceMs
    return this.#mongo.client.withSession((session) =>
      session.withTransaction(
        async () => {
          // The driver would begin anew for two minutes, long after nobody waits for it.
          if (performance.now() > giveUpAt) throw new Error('Others have been writing all the time')
          if (!(await this.#write(user, hash, session))) return false
          await this.#deleteSessions(user.id, session)
          return true
        },
        { maxCommitTimeMS: patienceMs },
      ),
    )
  }

  /**
   * Without transactions the sessions end first: should the server be lost in between, people sign in again, and no
   * session outlives the password that it was made with. They end once more for whoever has signed in meanwhile.
   */
  async #setInOrder(user: User, hash: string): Promise<boolean> {
    if ((await this.#select(this.#isStill(user))).length !== 1) return false
    await this.#deleteSessions(user.id)
    if (!(await this.#write(user, hash))) return false
    await this.#deleteSessions(user.id)
    return true
  }

  async #write(user: User, hash: string, session?: ClientSession): Promise<boolean> {
    const { table, password } = this.#map
    const { matchedCount } = await this.#mongo.database
      .collection(table)
      .updateOne(
        this.#among(this.#isStill(user)),
        { $set: { [password]: hash } },
        session === undefined ? {} : { session },
      )
    return matchedCount === 1
  }

  async #deleteSessions(id: string, session?: ClientSession): Promise<void> {
    const { sessions } = this.#map
    if (sessions === null) return
    await this.#mongo.database
      .collection(sessions.table)
      .deleteMany(this.#has(sessions.user, id), session === undefined ? {} : { session })
  }

  /** At most two accounts: more than one is already too many. */
  #select(condition: Condition): Promise<readonly User[]> {
    const { table, id, email, password, name, locale } = this.#map
    const fields = [id, email, password, name, locale].filter((field) => field !== null)
    const projection = { _id: 0, ...Object.fromEntries(fields.map((field) => [field, 1])) }
    return this.#run(async () => {
      const found = await this.#mongo.database
        .collection(table)
        .find(this.#among(condition), { projection, limit: 2, maxTimeMS: patienceMs })
        .toArray()
      return found.map((each) => this.#toUser(each))
    })
  }

  #has(field: string, id: string): Condition {
    return { [field]: { $in: formsOf(id, this.#mongo.driver) } }
  }

  /** That an account is the one that was found, unchanged. */
  #isStill({ id, email, version }: User): Condition {
    const map = this.#map
    // Equal to null is also what lacks the field.
    const isVersion = version === '' ? { $in: [null, ''] } : { $eq: version }
    return {
      $and: [this.#has(map.id, id), { [map.email]: { $eq: email } }, { [map.password]: isVersion }],
    }
  }

  #among(condition: Condition): Condition {
    const where = Object.entries(this.#map.where ?? {})
    return { $and: [condition, ...where.map(([field, value]) => ({ [field]: { $eq: value } }))] }
  }

  #toUser(document: Document): User {
    const map = this.#map
    const id = textOf(valueAt(document, map.id), this.#mongo.driver)
    if (id === null) throw misfit('id', 'an ObjectId, a UUID, text or a number', map)
    const email = valueAt(document, map.email)
    if (typeof email !== 'string') throw misfit('email', 'one address as text', map)
    const version = valueAt(document, map.password) ?? ''
    if (typeof version !== 'string') throw misfit('password', 'a hash as text', map)
    const text = (field: string | null) => {
      const value = field === null ? null : valueAt(document, field)
      return typeof value === 'string' ? value : null
    }
    return { id, email, version, name: text(map.name), locale: text(map.locale) }
  }

  // Without the driver's words: while requests are served they could repeat what a visitor typed.
  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      if (cause instanceof ForgotError) throw cause
      const message = `users.url: ${this.#mongo.name} has failed`
      throw new ForgotError('ERR_FORGOT_USERS', message, { cause })
    }
  }
}

function misfit(
  key: 'id' | 'email' | 'password',
  expected: string,
  map: UserCollection,
): ForgotError {
  const message = `users.${key}: field "${map[key]}" in ${map.table} must hold ${expected}`
  return new ForgotError('ERR_FORGOT_USERS', message)
}

/** What stands in a field, `profile.name` being one within another. */
function valueAt(document: Document, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((inner, key) => (inner as Document | null | undefined)?.[key], document)
}

function only(users: readonly User[]): User | null {
  const [user, other] = users
  return user === undefined || other !== undefined ? null : user
}
