import { type Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { route, type Site } from '../support/site.ts'

interface RawRequest {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** The bytes of a request, spelt as given. */
export function bytesOf({ method = 'GET', path, headers = {}, body = '' }: RawRequest): Buffer {
  const content = Buffer.from(body as string)
  const length = content.length === 0 ? {} : { 'Content-Length': content.length }
  const lines = Object.entries({ Host: 'x', Connection: 'close', ...headers, ...length })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.concat([
    Buffer.from(`${method} ${path} HTTP/1.1\r\n${head}\r\n`, 'latin1'),
    content,
  ])
}

/** Sends bytes as they are; the whole answer, once the server has closed the connection. */
export async function raw(site: Site, bytes: string | Buffer): Promise<string> {
  const socket = await open(site)
  socket.write(bytes)
  return answerOn(socket)
}

/** Sends requests but for their last bytes, and those all at once; the whole answers. */
export async function atOnce(site: Site, requests: readonly RawRequest[]): Promise<string[]> {
  const opened = await Promise.all(
    requests.map(async (request) => ({ socket: await open(site), bytes: bytesOf(request) })),
  )
  const answers = opened.map(({ socket }) => answerOn(socket))
  await Promise.all(
    opened.map(
      ({ socket, bytes }) =>
        new Promise((resolve) => socket.write(bytes.subarray(0, -1), () => resolve(null))),
    ),
  )
  for (const { socket, bytes } of opened) socket.write(bytes.subarray(-1))
  return Promise.all(answers)
}

/** Sends chunks for as long as the connection is open; the answer, and how many bytes were taken. */
export async function endlessly(
  site: Site,
  head: string,
): Promise<{ readonly answer: string; readonly taken: number }> {
  const socket = await open(site)
  const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`
  let taken = 0
  const pump = (error?: Error | null): void => {
    if (error || !socket.writable) return
    taken += 0x1000
    socket.write(chunk, (failure) => setImmediate(pump, failure))
  }
  socket.write(head, () => pump())
  const answer = await answerOn(socket)
  return { answer, taken }
}

export const statusOf = (answer: string): number => Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1])

const patienceMs = 5000

function open(site: Site): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(site.url).port), '127.0.0.1', () => resolve(socket))
    socket.once('error', reject)
  })
}

/** Fails when the server leaves the connection open. */
function answerOn(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    socket.on('data', (data) => {
      answer += data.toString()
    })
    // What is written after the server's end has nowhere to go: its answer counts.
    socket.removeAllListeners('error').on('error', () => {})
    socket.on('close', () => resolve(answer))
    socket.setTimeout(patienceMs, () => {
      socket.destroy()
      reject(new Error(`The connection is still open after: ${answer}`))
    })
  })
}

/** An answer with its headers as they were sent: in their order and their spelling. */
export interface Answer {
  readonly status: string
  readonly headers: readonly string[]
  readonly body: string
}

interface Wanted {
  readonly method?: string
  /** Sent as it is, whether or not it is a path. */
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly agent?: Agent
}

/** One request that nothing has tidied up. */
export function exchange(
  site: Site,
  { method = 'GET', path = route, headers = {}, body = '', agent }: Wanted,
): Promise<Answer> {
  const { hostname: host, port } = new URL(site.url)
  const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) }
  const options = { host, port, method, path, headers: { ...headers, ...length } }
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, agent: agent ?? false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const raw = answer.rawHeaders
        const lines = raw.flatMap((name, index) =>
          index % 2 === 0 ? [`${name}: ${raw[index + 1]}`] : [],
        )
        const status = `${answer.statusCode} ${answer.statusMessage}`
        resolve({ status, headers: lines, body: Buffer.concat(chunks).toString('utf8') })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
