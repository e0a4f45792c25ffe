import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

/** The records of a name: texts, or the names of mail servers. */
type Zone = Readonly<Record<string, { readonly txt?: readonly string[]; readonly mx?: string }>>

const types = { txt: 16, mx: 15 } as const

/** A name server on this machine (RFC 1035) that knows one zone. */
export class NameServer {
  readonly #socket: Socket
  readonly zone: Record<string, Zone[string]> = {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (query, { port, address }) => {
      socket.send(this.#answer(query), port, address)
    })
  }

  static async start(): Promise<NameServer> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new NameServer(socket)
  }

  get address(): string {
    return `127.0.0.1:${(this.#socket.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#socket.close()
  }

  #answer(query: Buffer): Buffer {
    const labels: string[] = []
    let at = 12
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.toString('ascii', at + 1, at + 1 + length))
      at += length + 1
    }
    const question = query.subarray(12, at + 5)
    const type = query.readUInt16BE(at + 1)
    const known = this.zone[labels.join('.').toLowerCase()]
    const data =
      type === types.txt
        ? (known?.txt ?? []).map(textData)
        : type === types.mx && known?.mx
          ? [Buffer.concat([Buffer.from([0, 10]), nameData(known.mx)])]
          : []
    const header = Buffer.alloc(12)
    query.copy(header, 0, 0, 2)
    // An answer with authority; a name that is not there: 3.
    header.writeUInt16BE(0x8580 | (known === undefined ? 3 : 0), 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(data.length, 6)
    return Buffer.concat([header, question, ...data.map((each) => record(type, each))])
  }
}

function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12)
  // The name of the question, by its place.
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(60, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

/** In parts of at most 255 bytes. */
function textData(text: string): Buffer {
  const parts = text.match(/.{1,255}/gs) ?? ['']
  return Buffer.concat(parts.flatMap((part) => [Buffer.from([part.length]), Buffer.from(part)]))
}

function nameData(name: string): Buffer {
  const labels = name.split('.').flatMap((each) => [Buffer.from([each.length]), Buffer.from(each)])
  return Buffer.concat([...labels, Buffer.from([0])])
}
