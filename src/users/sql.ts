import { type RawBuilder, sql } from 'kysely'
import { foldAscii } from '../address.ts'
import type { Config } from '../config/config.ts'
import { ForgotError } from '../errors.ts'
import type { Engine } from '../store/engine.ts'
import type { User } from '../user.ts'
import type { Users } from './users.ts'

type Mapping = NonNullable<Config['users']>

interface Row {
  readonly id: string
  readonly email: string
  readonly password: string | null
  readonly name: string | null
  readonly locale: string | null
}

/** The accounts in a table of the site, under whatever names its table and columns have. */
export class SqlUsers implements Users {
  readonly #engine: Engine<unknown>
  readonly #map: Mapping

  private constructor(engine: Engine<unknown>, map: Mapping) {
    this.#engine = engine
    this.#map = map
  }

  /**
   * @throws {ForgotError} `ERR_FORGOT_USERS` when a mapped table or column is not there or `where` is
   *   not a condition.
   */
  static async open(engine: Engine<unknown>, map: Mapping): Promise<SqlUsers> {
    const users = new SqlUsers(engine, map)
    await users.#probe()
    return users
  }

  async findByEmail(email: string): Promise<User | null> {
    const column = sql.ref(this.#map.email)
    const exact = await this.#select(sql`${column} = ${email}`)
    if (exact.length > 0) return only(exact)
    return only(await this.#select(sql`lower(${column}) = ${foldAscii(email)}`))
  }

  async findById(id: string): Promise<User | null> {
    return only(await this.#select(sql`${sql.ref(this.#map.id)} = ${id}`))
  }

  async setPassword(user: User, hash: string): Promise<boolean> {
    const { table, id, email, password, sessions } = this.#map
    return this.#engine.transaction(async (tables) => {
      const written = await sql`
        update ${sql.table(table)} set ${sql.ref(password)} = ${hash}
        where ${sql.ref(id)} = ${user.id} and ${sql.ref(email)} = ${user.email}
          and coalesce(${sql.ref(password)}, '') = ${user.version} and ${this.#condition}`.execute(
        tables,
      )
      if (written.numAffectedRows !== 1n) return false
      if (sessions !== null) {
        await sql`delete from ${sql.table(sessions.table)}
          where ${sql.ref(sessions.user)} = ${user.id}`.execute(tables)
      }
      return true
    })
  }

  close(): Promise<void> {
    return this.#engine.close()
  }

  // The owner's own words: the configuration is trusted like code.
  get #condition(): RawBuilder<unknown> {
    return this.#map.where === null ? sql`1 = 1` : sql`(${sql.raw(this.#map.where)})`
  }

  /** At most two accounts: more than one is already too many. */
  async #select(where: RawBuilder<unknown>): Promise<readonly Row[]> {
    const { table, id, email, password, name, locale } = this.#map
    const query = sql<Row>`
      select cast(${sql.ref(id)} as text) as id, ${sql.ref(email)} as email, ${sql.ref(password)} as password,
        ${name === null ? sql`null` : sql.ref(name)} as name,
        ${locale === null ? sql`null` : sql.ref(locale)} as locale
      from ${sql.table(table)} where ${where} and ${this.#condition} limit 2`
    const { rows } = await this.#engine.run((database) => query.execute(database))
    return rows
  }

  /** Reads nothing, but names every table, column and condition that later statements use. */
  async #probe(): Promise<void> {
    try {
      await this.#select(sql`1 = 0`)
      const { sessions } = this.#map
      if (sessions !== null) {
        const query = sql`select ${sql.ref(sessions.user)} from ${sql.table(sessions.table)} where 1 = 0`
        await this.#engine.run((database) => query.execute(database))
      }
    } catch (error) {
      const cause = error instanceof Error ? (error.cause ?? error) : error
      const why = cause instanceof Error ? cause.message : String(cause)
      const message = `users: the user table does not fit its mapping in the configuration: ${why}`
      throw new ForgotError('ERR_FORGOT_USERS', message, { cause })
    }
  }
}

function only(rows: readonly Row[]): User | null {
  const [row, other] = rows
  if (row === undefined || other !== undefined) return null
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    locale: row.locale,
    version: row.password ?? '',
  }
}
