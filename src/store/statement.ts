import {
  type Compilable,
  type CompiledQuery,
  type Insertable,
  isCompilable,
  type Kysely,
  type QueryResult,
} from 'kysely'
import { directOf } from './direct.ts'

/** Stands in a statement for a value that is given when it is run. */
class Slot {
  readonly name: PropertyKey

  constructor(name: PropertyKey) {
    this.name = name
  }
}

const slots: object = new Proxy({}, { get: (_, name) => new Slot(name) })

/**
 * A statement that is built once and run with other values each time: to build it takes longer than SQLite needs
 * to run it.
 */
export class Statement<Tables, Given extends object, Row> {
  readonly #build: (database: Kysely<Tables>, given: Given) => Compilable<Row> | CompiledQuery<Row>
  #compiled: CompiledQuery<Row> | null = null

  /** @param build Called once, when it is first run; each property of `given` may stand where a value does. */
  constructor(
    build: (database: Kysely<Tables>, given: Given) => Compilable<Row> | CompiledQuery<Row>,
  ) {
    this.#build = build
  }

  async rows(database: Kysely<Tables>, given: Given): Promise<Row[]> {
    return (await this.#run(database, given)).rows
  }

  async first(database: Kysely<Tables>, given: Given): Promise<Row | undefined> {
    return (await this.#run(database, given)).rows[0]
  }

  /** How many rows it has changed. */
  async change(database: Kysely<Tables>, given: Given): Promise<number> {
    return Number((await this.#run(database, given)).numAffectedRows ?? 0n)
  }

  #run(database: Kysely<Tables>, given: Given): QueryResult<Row> | Promise<QueryResult<Row>> {
    this.#compiled ??= this.#compile(database)
    const parameters = this.#compiled.parameters.map((value) =>
      value instanceof Slot ? given[value.name as keyof Given] : value,
    )
    const query = { ...this.#compiled, parameters }
    return directOf(database)?.execute(query) ?? database.executeQuery(query)
  }

  #compile(database: Kysely<Tables>): CompiledQuery<Row> {
    const built = this.#build(database, slots as Given)
    return isCompilable(built) ? (built.compile() as CompiledQuery<Row>) : built
  }
}

/** Adds rows to one table, one at a time; all of them have the columns of the first. */
export class Insertion<Tables, Table extends keyof Tables & string> {
  readonly #table: Table
  #statement: Statement<Tables, Insertable<Tables[Table]> & object, unknown> | null = null

  constructor(table: Table) {
    this.#table = table
  }

  async add(database: Kysely<Tables>, row: Insertable<Tables[Table]> & object): Promise<void> {
    this.#statement ??= new Statement((tables, given) =>
      tables.insertInto(this.#table).values(pick(given, Object.keys(row))),
    )
    await this.#statement.change(database, row)
  }
}

function pick<T extends object>(values: T, names: readonly string[]): T {
  return Object.fromEntries(names.map((name) => [name, values[name as keyof T]])) as T
}
