import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { BSON, type Document, Long } from 'mongodb'
import { matches, projected, updated } from './mongo-query.ts'

/** What happens to one command instead of its answer; `lost`: it is done, and the answer does not arrive. */
export type Fault = 'hang-up' | 'lost' | { code: number; errmsg: string } | null

interface Row {
  document: Document
  /** When it was last written, counted in commits. */
  changedAt: number
}

interface Transaction {
  readonly number: string
  readonly beganAt: number
  /** What it has written and nobody else sees; `null`: deleted. */
  readonly writes: Map<Row, Document | null>
  isCommitted: boolean
}

const opQuery = 2004
const opReply = 1
const opMsg = 2013
const writeConflict = {
  ok: 0,
  code: 112,
  codeName: 'WriteConflict',
  errmsg: 'WriteConflict error: this operation conflicted with another operation',
  errorLabels: ['TransientTransactionError'],
}

/**
 * A double of a MongoDB server: what the driver says over TCP in OP_MSG, for one database, as far as accounts need
 * it. A replica set has transactions, in which writes to one document conflict as they do there.
 */
export class MongoDouble {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #collections = new Map<string, Row[]>()
  readonly #transactions = new Map<string, Transaction>()
  readonly #isReplicaSet: boolean
  #commits = 0
  /** Every command that has arrived, except those that watch the server. */
  readonly commands: Document[] = []
  fault: (name: string, command: Document) => Fault = () => null
  /** Whether it wants a password, and takes none. */
  refusesAll = false

  private constructor(isReplicaSet: boolean) {
    this.#isReplicaSet = isReplicaSet
    this.#server = createServer((socket) => this.#serve(socket))
  }

  static async start({ isReplicaSet = false } = {}): Promise<MongoDouble> {
    const double = new MongoDouble(isReplicaSet)
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve))
    return double
  }

  get host(): string {
    const { port } = this.#server.address() as AddressInfo
    return `127.0.0.1:${port}`
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  create(collection: string): void {
    this.#collections.set(collection, [])
  }

  add(collection: string, document: Document): void {
    // What is stored went through BSON there, too.
    const stored = BSON.deserialize(BSON.serialize(document))
    this.#rows(collection).push({ document: stored, changedAt: 0 })
  }

  documents(collection: string): Document[] {
    return this.#rows(collection).map(({ document }) => document)
  }

  set(collection: string, condition: Document, fields: Document): void {
    for (const row of this.#rows(collection)) {
      if (!matches(row.document, condition)) continue
      row.document = updated(row.document, { $set: fields })
      row.changedAt = ++this.#commits
    }
  }

  /** The commands of one name that have arrived. */
  sent(name: string): Document[] {
    return this.commands.filter((command) => Object.keys(command)[0] === name)
  }

  #rows(collection: string): Row[] {
    return this.#collections.get(collection) ?? []
  }

  #serve(socket: Socket): void {
    let received = Buffer.alloc(0)
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 4 && received.length >= received.readInt32LE(0)) {
        const length = received.readInt32LE(0)
        this.#receive(received.subarray(0, length), socket)
        received = received.subarray(length)
      }
    })
  }

  #receive(message: Buffer, socket: Socket): void {
    const id = message.readInt32LE(4)
    const isQuery = message.readInt32LE(12) === opQuery
    const command = isQuery ? readQuery(message) : readMsg(message)
    const [name = ''] = Object.keys(command)
    const isWatching = /^(?:hello|ismaster|isMaster)$/.test(name)
    if (!isWatching) this.commands.push(command)
    const fault = isWatching ? null : this.fault(name, command)
    if (fault === 'hang-up') return void socket.destroy()
    const answer =
      fault !== null && fault !== 'lost' ? { ok: 0, ...fault } : this.#answer(name, command)
    if (fault === 'lost') return void socket.destroy()
    socket.write(isQuery ? replyTo(id, answer) : msgTo(id, answer))
  }

  #answer(name: string, command: Document): Document {
    try {
      if (/^(?:hello|ismaster|isMaster)$/.test(name)) return this.#hello()
      if (this.refusesAll) {
        const code = name === 'saslStart' ? 18 : 13
        return { ok: 0, code, errmsg: code === 18 ? 'Authentication failed.' : 'not authorized' }
      }
      return this.#execute(name, command)
    } catch (error) {
      return { ok: 0, code: 2, codeName: 'BadValue', errmsg: (error as Error).message }
    }
  }

  #hello(): Document {
    const set = {
      setName: 'rs0',
      hosts: [this.host],
      primary: this.host,
      me: this.host,
      setVersion: 1,
    }
    return {
      ...{ helloOk: true, isWritablePrimary: true, ismaster: true, readOnly: false, ok: 1 },
      ...{ minWireVersion: 0, maxWireVersion: 21, logicalSessionTimeoutMinutes: 30 },
      ...{
        maxBsonObjectSize: 16_777_216,
        maxMessageSizeBytes: 48_000_000,
        maxWriteBatchSize: 1000,
      },
      ...(this.#isReplicaSet ? set : {}),
    }
  }

  #execute(name: string, command: Document): Document {
    const collection = String(command[name])
    if (name === 'find') return this.#find(collection, command)
    if (name === 'update') return this.#update(collection, command)
    if (name === 'delete') return this.#delete(collection, command)
    if (name === 'commitTransaction') return this.#commit(command)
    if (name === 'abortTransaction') this.#transactions.delete(sessionOf(command))
    else if (name === 'listCollections') {
      const firstBatch = [...this.#collections.keys()].map((each) => ({
        name: each,
        type: 'collection',
      }))
      return { ok: 1, cursor: { id: Long.ZERO, ns: 'site.$cmd.listCollections', firstBatch } }
    } else if (!/^(?:ping|endSessions|killCursors)$/.test(name)) {
      return { ok: 0, code: 59, errmsg: `no such command: '${name}'` }
    }
    return { ok: 1 }
  }

  #find(collection: string, { filter, limit = 0, projection, ...command }: Document): Document {
    const transaction = this.#transactionOf(command)
    const found = this.#rows(collection)
      .map((row) => transaction?.writes.get(row) ?? row.document)
      .filter((document) => matches(document, filter))
      .slice(0, limit === 0 ? undefined : limit)
      .map((document) => projected(document, projection))
    return { ok: 1, cursor: { id: Long.ZERO, ns: `site.${collection}`, firstBatch: found } }
  }

  #update(collection: string, command: Document): Document {
    const [{ q, u }] = command['updates']
    return this.#write(collection, command, q, (document) => updated(document, u), 1)
  }

  #delete(collection: string, command: Document): Document {
    const [{ q }] = command['deletes']
    return this.#write(collection, command, q, () => null)
  }

  #write(
    collection: string,
    command: Document,
    condition: Document,
    change: (document: Document) => Document | null,
    most: number = Number.POSITIVE_INFINITY,
  ): Document {
    const transaction = this.#transactionOf(command)
    const rows = this.#rows(collection)
      .filter((row) => matches(transaction?.writes.get(row) ?? row.document, condition))
      .slice(0, most)
    const others = [...this.#transactions.values()].filter((each) => each !== transaction)
    const isTaken = (row: Row) =>
      others.some(({ writes, isCommitted }) => !isCommitted && writes.has(row)) ||
      row.changedAt > (transaction?.beganAt ?? Number.POSITIVE_INFINITY)
    if (rows.some(isTaken)) return writeConflict
    const writes = new Map(rows.map((row) => [row, change(row.document)]))
    if (transaction === null) this.#apply(writes)
    else for (const [row, document] of writes) transaction.writes.set(row, document)
    return { ok: 1, n: rows.length, nModified: rows.length }
  }

  #apply(writes: ReadonlyMap<Row, Document | null>): void {
    this.#commits += 1
    for (const [row, document] of writes) {
      row.changedAt = this.#commits
      if (document !== null) row.document = document
      else {
        for (const [name, rows] of this.#collections) {
          this.#collections.set(
            name,
            rows.filter((each) => each !== row),
          )
        }
      }
    }
  }

  /** The transaction that a command belongs to, begun with its first; `null` where it belongs to none. */
  #transactionOf(command: Document): Transaction | null {
    if (command['autocommit'] !== false) return null
    if (!this.#isReplicaSet)
      throw new Error('Transaction numbers are only allowed on a replica set')
    const session = sessionOf(command)
    const number = String(command['txnNumber'])
    const known = this.#transactions.get(session)
    if (known?.number === number) return known
    const begun = { number, beganAt: this.#commits, writes: new Map(), isCommitted: false }
    this.#transactions.set(session, begun)
    return begun
  }

  #commit(command: Document): Document {
    const transaction = this.#transactions.get(sessionOf(command))
    if (transaction === undefined) return { ok: 0, code: 251, errmsg: 'NoSuchTransaction' }
    if (!transaction.isCommitted) this.#apply(transaction.writes)
    transaction.isCommitted = true
    return { ok: 1 }
  }
}

function sessionOf(command: Document): string {
  return command['lsid'].id.toString('hex')
}

function readQuery(message: Buffer): Document {
  const end = message.indexOf(0, 20)
  return BSON.deserialize(message.subarray(end + 9))
}

/** A body, and lists of documents that belong to it (kind 1). */
function readMsg(message: Buffer): Document {
  let command: Document = {}
  const lists: Document = {}
  let at = 20
  while (at < message.length) {
    const kind = message.readUInt8(at)
    const length = message.readInt32LE(at + 1)
    const section = message.subarray(at + 1, at + 1 + length)
    if (kind === 0) command = BSON.deserialize(section)
    else {
      const end = section.indexOf(0, 4)
      lists[section.toString('utf8', 4, end)] = readAll(section.subarray(end + 1))
    }
    at += 1 + length
  }
  return { ...command, ...lists }
}

function readAll(bytes: Buffer): Document[] {
  const documents: Document[] = []
  for (let at = 0; at < bytes.length; at += bytes.readInt32LE(at)) {
    documents.push(BSON.deserialize(bytes.subarray(at, at + bytes.readInt32LE(at))))
  }
  return documents
}

function msgTo(id: number, answer: Document): Buffer {
  // No flags, and one section of kind 0.
  return message(id, opMsg, Buffer.concat([Buffer.alloc(5), BSON.serialize(answer)]))
}

function replyTo(id: number, answer: Document): Buffer {
  const head = Buffer.alloc(20)
  head.writeInt32LE(8, 0)
  head.writeInt32LE(1, 16)
  return message(id, opReply, Buffer.concat([head, BSON.serialize(answer)]))
}

function message(id: number, code: number, body: Buffer): Buffer {
  const head = Buffer.alloc(16)
  head.writeInt32LE(16 + body.length, 0)
  head.writeInt32LE(id, 8)
  head.writeInt32LE(code, 12)
  return Buffer.concat([head, body])
}
