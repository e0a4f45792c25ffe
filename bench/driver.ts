import { connect } from 'node:net'

/** What a series of requests has come to. */
export interface Series {
  readonly count: number
  readonly perSecond: number
  /** How long each took, in milliseconds, the shortest first. */
  readonly times: readonly number[]
  /** How many answers there were of each status. */
  readonly statuses: Readonly<Record<string, number>>
}

/** What is to be sent. */
export interface Load {
  /** On how many connections, each of which waits for one answer before it sends the next. */
  readonly connections: number
  /** After how long nothing more is sent; default: when there is nothing more. */
  readonly forMs?: number
  /** The next request as it goes over the wire; `null`: there is none. */
  readonly next: () => string | null
  /** Is told how many milliseconds each answer took, in their order. */
  readonly answered?: (ms: number) => void
}

/**
 * Sends requests and waits for their answers. Node's own client would need more of the processor than the server
 * that is measured: this one reads of an answer only its status and where it ends.
 */
export async function drive(
  port: number,
  { connections, forMs = Number.POSITIVE_INFINITY, next, answered = () => {} }: Load,
): Promise<Series> {
  const times: number[] = []
  const statuses: Record<string, number> = {}
  const started = performance.now()
  const count = (status: string, sentAt: number) => {
    const ms = performance.now() - sentAt
    statuses[status] = (statuses[status] ?? 0) + 1
    times.push(ms)
    answered(ms)
  }
  const more = () => (performance.now() - started < forMs ? next() : null)
  await Promise.all(Array.from({ length: connections }, () => converse(port, more, count)))
  const seconds = (performance.now() - started) / 1000
  const sorted = times.sort((one, other) => one - other)
  return { count: times.length, perSecond: times.length / seconds, times: sorted, statuses }
}

function converse(
  port: number,
  next: () => string | null,
  answered: (status: string, sentAt: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1').setNoDelay()
    let missing = 0
    let sentAt = 0
    let status = ''
    const send = () => {
      const request = next()
      if (request === null) {
        socket.end()
        resolve()
        return
      }
      sentAt = performance.now()
      socket.write(request, 'latin1')
    }
    socket.on('connect', send).on('error', reject)
    socket.on('close', () => reject(new Error('The server has closed a connection')))
    socket.on('data', (data) => {
      if (missing === 0) {
        // The head of each answer fits into one packet of the loopback interface.
        const head = data.toString('latin1', 0, data.indexOf('\r\n\r\n') + 4)
        status = head.slice(9, 12)
        missing = head.length + contentLength(head)
      }
      missing -= data.length
      if (missing > 0) return
      answered(status, sentAt)
      send()
    })
  })
}

function contentLength(head: string): number {
  const name = 'content-length: '
  const start = head.toLowerCase().indexOf(name)
  return start < 0 ? 0 : Number.parseInt(head.slice(start + name.length), 10)
}

/** A request as a browser without JavaScript sends it. */
export function wire(
  method: 'GET' | 'POST',
  path: string,
  form: Readonly<Record<string, string>> | null = null,
  headers: Readonly<Record<string, string>> = {},
): string {
  const body = form === null ? '' : new URLSearchParams(form).toString()
  const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1', 'sec-fetch-site: same-origin']
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  if (form !== null) {
    lines.push('content-type: application/x-www-form-urlencoded', `content-length: ${body.length}`)
  }
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

/** Every answer was the expected one, or the figures are of something else. */
export function expectStatus({ statuses }: Series, status: number): void {
  const others = Object.keys(statuses).filter((each) => each !== String(status))
  if (others.length > 0) throw new Error(`Answers of ${JSON.stringify(statuses)}`)
}

/** The value below which a share of all lies; `times` begin with the shortest. */
export function percentile(times: readonly number[], share: number): number {
  return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
}
