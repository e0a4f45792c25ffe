import { type Kysely, type QueryExecutorProvider, type RawBuilder, sql } from 'kysely'
import { foldAscii } from '../address.ts'
import type { UserTable } from '../config/config.ts'
import { plainColumn, type TextColumn } from '../store/dialect.ts'
import { type Engine, isBusy } from '../store/engine.ts'
import { Statement } from '../store/statement.ts'
import type { User } from '../user.ts'
import { explain } from './probe.ts'
import type { Users } from './users.ts'

interface Row {
  readonly id: string
  readonly email: string
  readonly password: string | null
  readonly name: string | null
  readonly locale: string | null
}

const nobody = sql`1 = 0`
const sampleSize = 20

/** The accounts in a table of the site, under whatever names its table and columns have. */
export class SqlUsers implements Users {
  readonly #engine: Engine<unknown>
  readonly #map: UserTable
  #email: TextColumn

  private constructor(engine: Engine<unknown>, map: UserTable) {
    this.#engine = engine
    this.#map = map
    this.#email = plainColumn(map.email)
  }

  /**
   * The accounts of an opened database, once it has shown that it can be read and written as mapped.
   *
   * @throws {ForgotError} `ERR_FORGOT_USERS` with a line for each table, column or condition that it
   *   does not know or that cannot be written.
   */
  static async open(engine: Engine<unknown>, map: UserTable): Promise<SqlUsers> {
    const users = new SqlUsers(engine, map)
    try {
      await users.#probe()
    } catch (error) {
      throw isBusy(error) ? error : await explain(engine, map, error)
    }
    return users
  }

  readonly #spelt = this.#selection(({ email }: { email: string }) => this.#email.is(email))
  readonly #folded = this.#selection(({ email }: { email: string }) => this.#email.isFolded(email))

  async findByEmail(email: string): Promise<User | null> {
    const exact = await this.#engine.run((database) => this.#spelt.rows(database, { email }))
    if (exact.length > 0) return only(exact)
    const folded = { email: foldAscii(email) }
    return only(await this.#engine.run((database) => this.#folded.rows(database, folded)))
  }

  readonly #byId = this.#selection(
    ({ id }: { id: string }) => sql`${sql.ref(this.#map.id)} = ${id}`,
  )

  async findById(id: string): Promise<User | null> {
    const rows = await this.#engine.run((database) => this.#byId.rows(database, { id }))
    // A number that is compared with text may take "7 of 9" for 7.
    return only(rows.filter((row) => row.id === id))
  }

  async setPassword(user: User, hash: string): Promise<boolean> {
    const { id, password, sessions } = this.#map
    const { dialect } = this.#engine
    const isUser = sql`${sql.ref(id)} = ${user.id} and ${this.#email.is(user.email)}
      and ${dialect.isSame(sql`coalesce(${sql.ref(password)}, '')`, user.version)}`
    return this.#engine.transaction(async (tables) => {
      const count = await this.#writePassword(tables, hash, isUser)
      // SQLite counts nothing for a view whose trigger writes the table behind it.
      if (count !== 1n && !(await this.#holds(tables, user.id, hash))) return false
      if (sessions !== null) {
        await this.#endSessions(tables, sessions, sql`${sql.ref(sessions.user)} = ${user.id}`)
      }
      return true
    })
  }

  async endSessions(id: string): Promise<void> {
    const { sessions } = this.#map
    if (sessions === null) return
    const isTheirs = sql`${sql.ref(sessions.user)} = ${id}`
    await this.#engine.transaction((tables) => this.#endSessions(tables, sessions, isTheirs))
  }

  async sampleHashes(): Promise<readonly string[]> {
    const { table, password } = this.#map
    const query = sql<{
      hash: unknown
    }>`select ${sql.ref(password)} as hash from ${sql.table(table)}
      where ${sql.ref(password)} is not null and ${this.#condition} limit ${sql.lit(sampleSize)}`
    const { rows } = await this.#engine.run((database) => query.execute(database))
    return rows.map(({ hash }) => String(hash))
  }

  close(): Promise<void> {
    return this.#engine.close()
  }

  // The owner's own words: the configuration is trusted like code.
  get #condition(): RawBuilder<unknown> {
    return this.#map.where === null ? sql`1 = 1` : sql`(${sql.raw(this.#map.where)})`
  }

  /** At most two accounts: more than one is already too many. */
  #selection<Given extends object>(
    where: (given: Given) => RawBuilder<unknown>,
  ): Statement<unknown, Given, Row> {
    return new Statement((database: Kysely<unknown>, given: Given) => {
      const { table, id, email, password, name, locale } = this.#map
      return sql<Row>`
        select cast(${sql.ref(id)} as ${sql.raw(this.#engine.dialect.textCast)}) as id,
          ${sql.ref(email)} as email, ${sql.ref(password)} as password,
          ${name === null ? sql`null` : sql.ref(name)} as name,
          ${locale === null ? sql`null` : sql.ref(locale)} as locale
        from ${sql.table(table)} where ${where(given)} and ${this.#condition} limit 2`.compile(
        database,
      )
    })
  }

  /** Whether an account has this very hash: no two are the same. */
  async #holds(tables: QueryExecutorProvider, id: string, hash: string): Promise<boolean> {
    const map = this.#map
    const { rows } = await sql`select 1 from ${sql.table(map.table)}
      where ${sql.ref(map.id)} = ${id} and ${sql.ref(map.password)} = ${hash}`.execute(tables)
    return rows.length === 1
  }

  /** How many passwords it has written. */
  async #writePassword(
    tables: QueryExecutorProvider,
    hash: string,
    where: RawBuilder<unknown>,
  ): Promise<bigint | undefined> {
    const { table, password } = this.#map
    const query = sql`update ${sql.table(table)} set ${sql.ref(password)} = ${hash}
      where ${where} and ${this.#condition}`
    return (await query.execute(tables)).numAffectedRows
  }

  async #endSessions(
    tables: QueryExecutorProvider,
    { table }: NonNullable<UserTable['sessions']>,
    where: RawBuilder<unknown>,
  ): Promise<void> {
    await sql`delete from ${sql.table(table)} where ${where}`.execute(tables)
  }

  /** Executes every statement on nobody: what it names must be there, and nothing changes. */
  async #probe(): Promise<void> {
    const { sessions } = this.#map
    const nobodys = this.#selection(() => nobody)
    await this.#engine.run((database) => nobodys.rows(database, {}))
    const { table, email } = this.#map
    this.#email = await this.#engine.run((database) =>
      this.#engine.dialect.textColumn(database, table, email),
    )
    try {
      await this.#engine.checkWritable()
      await this.#engine.rehearse(async (tables) => {
        await this.#writePassword(tables, '', nobody)
        if (sessions === null) return
        const where = sql`${sql.ref(sessions.user)} is null and ${nobody}`
        await this.#endSessions(tables, sessions, where)
      })
    } catch (error) {
      // Another writer shows that the database can be written, and may take longer than a start.
      if (!isBusy(error)) throw error
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
