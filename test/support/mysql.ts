import { createConnection, type RowDataPacket } from 'mysql2/promise'

/** The MySQL or MariaDB server that TEST_MYSQL_URL names, as its administrator. */
export class MysqlServer {
  readonly #url: string

  constructor(url = process.env['TEST_MYSQL_URL'] ?? '') {
    this.#url = url
  }

  url(database: string): string {
    return new URL(database, this.#url).href
  }

  /** An empty database; its URL. */
  async makeDatabase(name: string): Promise<string> {
    await this.query(`drop database if exists ${name}`)
    await this.query(`create database ${name}`)
    return this.url(name)
  }

  /** Executes one statement past the module; its rows. */
  async query<Row>(
    text: string,
    values: readonly (string | number | null)[] = [],
    database = 'information_schema',
  ): Promise<Row[]> {
    const connection = await createConnection({ uri: this.url(database) })
    try {
      const [rows] = await connection.query<RowDataPacket[]>(text, [...values])
      return rows as Row[]
    } finally {
      await connection.end()
    }
  }
}
