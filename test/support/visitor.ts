import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { expect } from 'vitest'

/** One browser without JavaScript: it keeps cookies and follows nothing by itself. */
export class Visitor {
  readonly #base: string
  readonly #cookies = new Map<string, string>()
  /** Sent with every request. */
  readonly headers: Record<string, string> = { 'sec-fetch-site': 'same-origin' }

  constructor(base: string) {
    this.#base = base
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.#send(path, { headers })
  }

  head(path: string): Promise<Page> {
    return this.#send(path, { method: 'HEAD' })
  }

  post(
    path: string,
    fields: Record<string, string> | string,
    headers: Record<string, string> = {},
  ): Promise<Page> {
    const body = typeof fields === 'string' ? fields : new URLSearchParams(fields).toString()
    return this.#send(path, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    })
  }

  /** One request of a program: no cookies, no form. */
  json(path: string, body: unknown, { method = 'POST', headers = {} } = {}): Promise<Page> {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return send(new URL(path, this.#base), method, method === 'GET' ? '' : text, {
      accept: 'application/json',
      ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
      ...headers,
    })
  }

  /** Loads the page that a 303 points to. */
  async follow(page: Page): Promise<Page> {
    if (page.status !== 303) throw new Error(`Not a redirect but ${page.status}: ${page.body}`)
    return this.get(page.headers.get('location') ?? '')
  }

  async #send(
    path: string,
    {
      method = 'GET',
      body = '',
      headers = {},
    }: { method?: string; body?: string; headers?: object },
  ): Promise<Page> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const page = await send(new URL(path, this.#base), method, body, {
      ...this.headers,
      ...(cookie === '' ? {} : { cookie }),
      ...headers,
    })
    for (const line of page.headers.getSetCookie()) this.#keep(line)
    return page
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (/max-age=0/i.test(line)) this.#cookies.delete(name)
    else this.#cookies.set(name, value)
  }
}

/** One request on a connection of its own: a server that is started again has none of the old ones. */
function send(url: URL, method: string, body: string, headers: object): Promise<Page> {
  return new Promise((resolve, reject) => {
    const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) }
    const request = url.protocol === 'https:' ? secureRequest : plainRequest
    // A test makes its own certificates.
    const tls = { rejectUnauthorized: false }
    const options = { method, agent: false, headers: { ...headers, ...length }, ...tls }
    const sent = request(url, options, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        const received = new Headers()
        for (const [name, value] of Object.entries(answer.headersDistinct)) {
          for (const each of value ?? []) received.append(name, each)
        }
        resolve(new Page(answer.statusCode ?? 0, received, Buffer.concat(chunks).toString('utf8')))
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** An answer as a test looks at it. */
export class Page {
  readonly status: number
  readonly headers: Headers
  readonly body: string

  constructor(status: number, headers: Headers, body: string) {
    this.status = status
    this.headers = headers
    this.body = body
  }

  get step(): string {
    return /data-step="([^"]*)"/.exec(this.body)?.[1] ?? ''
  }

  get reason(): string {
    return /data-reason="([^"]*)"/.exec(this.body)?.[1] ?? ''
  }

  get reference(): string {
    return /[2-9A-Z]{4}-[2-9A-Z]{4}/.exec(this.body)?.[0] ?? ''
  }

  /** The body of a JSON answer. */
  get json(): Record<string, unknown> {
    expect(this.headers.get('content-type')).toBe('application/json; charset=utf-8')
    return JSON.parse(this.body)
  }

  /** The value of a field, hidden or not. */
  field(name: string): string {
    return new RegExp(`name="${name}"[^>]* value="([^"]*)"`).exec(this.body)?.[1] ?? ''
  }
}
