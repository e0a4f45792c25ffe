import { connect } from 'node:net'

/** What a series of requests has come to. */
export interface Load {
  readonly perSecond: number
  /** How many answers there were of each status. */
  readonly statuses: Readonly<Record<string, number>>
}

/**
 * Sends requests on so many connections, each after the answer to the one before. Node's own client would
 * need more of the processor than the server that is measured.
 *
 * @param next The next request as it goes over the wire; `null`: there is none.
 */
export async function load(
  port: number,
  connections: number,
  next: () => string | null,
): Promise<Load> {
  const statuses: Record<string, number> = {}
  const started = performance.now()
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      let received = ''
      const send = () => {
        const request = next()
        if (request === null) socket.end(resolve)
        else socket.write(request)
      }
      socket.setEncoding('latin1').on('connect', send).on('error', reject)
      socket.on('data', (data: string) => {
        received += data
        const end = received.indexOf('\r\n\r\n')
        if (end < 0) return
        const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
        if (received.length < end + 4 + length) return
        const status = received.slice(9, 12)
        statuses[status] = (statuses[status] ?? 0) + 1
        received = ''
        send()
      })
    })
  await Promise.all(Array.from({ length: connections }, one))
  const count = Object.values(statuses).reduce((sum, each) => sum + each, 0)
  return { perSecond: (count * 1000) / (performance.now() - started), statuses }
}

/** A request as a browser without JavaScript sends it. */
export function wire(method: 'GET' | 'POST', path: string, body = ''): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1', 'sec-fetch-site: same-origin']
  if (method === 'POST') {
    lines.push('content-type: application/x-www-form-urlencoded', `content-length: ${body.length}`)
  }
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
