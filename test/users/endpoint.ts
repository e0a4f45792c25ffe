import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { pathToFileURL } from 'node:url'
import { systemClock } from '../../src/clock.ts'
import { HttpUsers } from '../../src/users/http.ts'

export const secret = 'the secret of the accounts, of enough length'

export interface Account {
  id: string
  email: string
  name: string | null
  locale: string | null
  hash: string
  active: boolean
}

export interface AccountSite {
  accounts: Account[]
  sessions: { account: string }[]
}

/** One question that arrived, and when its answer is due. */
export interface Asked {
  readonly headers: IncomingMessage['headers']
  readonly body: Record<string, string>
}

/** What an endpoint answers: a status with a body, or nothing at all. */
export type Reply =
  | { status?: number; headers?: Record<string, string>; json?: unknown; text?: string }
  | 'silence'
  | 'hang-up'
  /** The beginning of an answer, and then nothing more, or the end of the connection. */
  | 'half'
  | 'torn'
  /** The example's own answer. */
  | 'right'
  /** The same, which is lost after it has been made. */
  | 'lost'

type MakeEndpoint = (parts: { site: AccountSite; secret: string }) => Server

const example = pathToFileURL('examples/users-endpoint/server.mjs').href

/** The endpoint of the examples over TCP, with faults before it. */
export class EndpointSite {
  readonly site: AccountSite = { accounts: [], sessions: [] }
  readonly asked: Asked[] = []
  /** What it does instead of the right thing: for a try of an action, counted from 1. */
  reply: (action: string, tries: number, body: Record<string, string>) => Reply = () => 'right'
  url = ''
  readonly #front = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      void this.#answer(request.headers, Buffer.concat(chunks).toString(), {
        send: (status, headers, text) => response.writeHead(status, headers).end(text),
        begin: () => response.writeHead(200, { 'content-length': 99 }).write('{"user":'),
        hangUp: () => response.destroy(),
      })
    })
  })
  #behind: Server | null = null

  static async start(): Promise<EndpointSite> {
    const { makeEndpoint } = (await import(example)) as { makeEndpoint: MakeEndpoint }
    const endpoint = new EndpointSite()
    endpoint.#behind = makeEndpoint({ site: endpoint.site, secret })
    await listen(endpoint.#behind)
    await listen(endpoint.#front)
    endpoint.url = `http://127.0.0.1:${portOf(endpoint.#front)}/internal/accounts`
    return endpoint
  }

  /** The example itself, without the faults. */
  get exampleUrl(): string {
    return `http://127.0.0.1:${portOf(this.#behind)}/`
  }

  open(
    over: Partial<{ url: string; secret: string; timeoutMs: number }> = {},
    patienceMs?: number,
  ): Promise<HttpUsers> {
    const settings = { url: this.url, secret, timeoutMs: 3000, ...over }
    return HttpUsers.open(settings, systemClock, patienceMs)
  }

  add(over: Partial<Account> = {}): Account {
    const id = String(this.site.accounts.length + 1)
    const account = { id, email: 'alice@site.example', name: null, locale: null, hash: 'old' }
    this.site.accounts.push({ ...account, active: true, ...over })
    return this.site.accounts.at(-1) as Account
  }

  bodies(action: string): Record<string, string>[] {
    return this.asked.map(({ body }) => body).filter((body) => body['action'] === action)
  }

  async stop(): Promise<void> {
    for (const server of [this.#front, this.#behind]) {
      server?.closeAllConnections()
      await new Promise((resolve) => server?.close(resolve))
    }
  }

  async #answer(
    headers: IncomingMessage['headers'],
    text: string,
    to: {
      send: (status: number, headers: Record<string, string>, text: string) => void
      begin: () => void
      hangUp: () => void
    },
  ): Promise<void> {
    const body = JSON.parse(text) as Record<string, string>
    this.asked.push({ headers, body })
    const id = headers['webhook-id']
    const tries = this.asked.filter((each) => each.headers['webhook-id'] === id).length
    const reply = this.reply(body['action'] ?? '', tries, body)
    if (reply === 'silence') return
    if (reply === 'half' || reply === 'torn') to.begin()
    if (reply === 'half') return
    if (reply === 'torn') return void setTimeout(to.hangUp, 50)
    if (reply === 'hang-up') return to.hangUp()
    if (typeof reply === 'object') {
      return to.send(
        reply.status ?? 200,
        reply.headers ?? {},
        reply.text ?? JSON.stringify(reply.json),
      )
    }
    const passed = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => [
      name,
      String(headers[name]),
    ])
    const answer = await fetch(this.exampleUrl, {
      method: 'POST',
      body: text,
      headers: Object.fromEntries(passed),
    })
    if (reply === 'lost') return to.hangUp()
    to.send(answer.status, {}, await answer.text())
  }
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
}

function portOf(server: Server | null): number {
  const address = server?.address() as AddressInfo
  return address.port
}

/** A port on which nothing listens any more. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
