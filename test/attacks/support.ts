import { type Agent, request } from 'node:http'
import { compareSync, hashSync } from 'bcryptjs'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import type { ServerOverrides } from '../../src/server.ts'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import { linkIn, type Received } from '../support/smtp.ts'
import type { Page, Visitor } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'

/** A browser's form, or a program. */
export type Format = 'HTML' | 'JSON'
export const formats: readonly Format[] = ['HTML', 'JSON']

/** One site for the cases of a file or of a group: after each of them an ordinary reset still works there. */
export function attackedSite(
  config: ConfigInput = {},
  overrides: ServerOverrides = {},
): () => Site {
  let site: Site | null = null
  const running = () => {
    if (site === null) throw new Error('The site has not been started')
    return site
  }
  beforeAll(async () => {
    site = await Site.start(config, overrides)
  })
  afterEach(() => expectOrdinaryReset(running()))
  afterAll(() => running().stop())
  return running
}

/** Recovers an account that no case has touched, as anybody would. */
export async function expectOrdinaryReset(site: Site): Promise<void> {
  const account = newAccount(site)
  const { client, link } = await ask(site, account.email)
  expect(outcome(await client.open(link))).toBe('reset')
  expect(outcome(await client.change(newPassword))).toBe('done')
  expect(hasPassword(site, account, newPassword)).toBe(true)
}

export interface Account {
  readonly id: number
  readonly email: string
}

let made = 0
const oldHash = hashSync(oldPassword, 4)

/** An address that nobody has yet: all of them have the same length. */
export function newAddress(): string {
  made += 1
  return `member-${String(made).padStart(4, '0')}@site.example`
}

/** One more account of the site, so that no case meets what another has left. */
export function newAccount(
  site: Site,
  { email = newAddress(), name = 'Member', active = 1 } = {},
): Account {
  const insert = site.database.prepare(
    "insert into members (mail, full_name, language, pw_hash, active) values (?, ?, 'en', ?, ?)",
  )
  const { lastInsertRowid } = insert.run(email, name, oldHash, active)
  return { id: Number(lastInsertRowid), email }
}

export function hasPassword(site: Site, { id }: Account, password: string): boolean {
  const hash = site.database.prepare('select pw_hash from members where member_no = ?').pluck()
  return compareSync(password, String(hash.get(id)))
}

type Fields = Readonly<Record<string, string>>
/** What a request has beside its fields. */
interface More {
  readonly headers?: Record<string, string>
  /** From its `?` on. */
  readonly query?: string
}

/** Takes the steps of a recovery, as a browser without JavaScript or as a program. */
export class Client {
  readonly format: Format
  readonly visitor: Visitor
  /** What the last request was told. */
  reference = ''
  /** What allows the next change. */
  proof: Fields = {}

  constructor(site: Site, format: Format) {
    this.format = format
    this.visitor = site.visitor()
  }

  /** @param body Fields, or a whole body as it is to be sent. */
  async post(body: object | string, { headers = {}, query = '' }: More = {}): Promise<Page> {
    const path = `${route}${query}`
    const page = await (this.format === 'HTML'
      ? this.visitor.post(path, body as Record<string, string> | string, headers)
      : this.visitor.json(path, body, { headers }))
    return this.#checked(page)
  }

  /** @param path That of the pages, where it is a query alone. */
  async get(path: string, headers: Record<string, string> = {}): Promise<Page> {
    const whole = path.startsWith('?') ? `${route}${path}` : path
    const page = await (this.format === 'HTML'
      ? this.visitor.get(whole, headers)
      : this.visitor.json(whole, null, { method: 'GET', headers }))
    return this.#checked(page)
  }

  /** Asks for a mail: the page that tells to look for it, or the refusal. */
  async ask(email: string, fields: object = {}, more: More = {}): Promise<Page> {
    const page = await this.post({ email, ...fields }, more)
    const sent = page.status === 303 ? await this.visitor.follow(page) : page
    this.reference = sent.reference
    return sent
  }

  /** Opens a link: the form for the new password, or the refusal. */
  async open(link: string): Promise<Page> {
    const page = await this.get(`?${new URL(link).searchParams}`)
    return this.#prove(page)
  }

  /** Types a code; a program names the reference with it. */
  async guess(code: string, fields: Fields = {}, more: More = {}): Promise<Page> {
    const known = this.format === 'HTML' ? {} : { reference: this.reference }
    return this.#prove(await this.post({ ...known, code, ...fields }, more))
  }

  /** Sets a password with what was opened or typed last. */
  change(password: string, fields: Fields = {}): Promise<Page> {
    return this.post({ ...this.proof, password, confirm: password, ...fields })
  }

  async #prove(page: Page): Promise<Page> {
    if (this.format === 'JSON') {
      const data = page.json['data'] as { token?: string } | undefined
      if (data?.token !== undefined) this.proof = { token: data.token }
      return page
    }
    if (page.status !== 303) return page
    const form = await this.visitor.follow(page)
    this.proof = { csrf: form.field('csrf') }
    return form
  }

  /** Whatever happens, a browser is shown a page and a program is sent JSON. */
  #checked(page: Page): Page {
    const type = this.format === 'HTML' ? 'text/html' : 'application/json'
    expect(page.headers.get('content-type')).toBe(`${type}; charset=utf-8`)
    return page
  }
}

/** What an answer comes to in either format: the step that it leads to, or its status and its reason. */
export function outcome(page: Page): string {
  const isJson = page.headers.get('content-type')?.startsWith('application/json')
  const { step, reason } = isJson ? page.json : page
  if (page.status >= 400) return `${page.status} ${reason}`
  return page.status === 303
    ? page.headers.get('location')?.replace(`${route}?step=`, '') || 'nowhere'
    : String(step)
}

/** What a mail has brought. */
export interface Asked {
  readonly client: Client
  readonly page: Page
  readonly mail: Received
  readonly link: string
  readonly token: string
  /** `''` where codes are off. */
  readonly code: string
  readonly reference: string
}

/** Asks for a mail and takes out what it brings. */
export async function ask(
  site: Site,
  email: string,
  client: Client = new Client(site, 'HTML'),
  ...request: [fields?: object, more?: More]
): Promise<Asked> {
  const recoveries = () =>
    site.smtp.mails.filter(
      ({ recipients, mail }) => recipients.includes(email) && mail.text?.includes('?token='),
    )
  const count = recoveries().length
  const page = await client.ask(email, ...request)
  expect(outcome(page)).toBe('sent')
  const mail = await eventually(() => recoveries()[count])
  const link = linkIn(mail)
  const token = new URL(link).searchParams.get('token') ?? ''
  const [code = ''] = /^\d{6}$/m.exec(mail.mail.text ?? '') ?? []
  // Not the code: six digits stand in a log's times by chance.
  for (const secret of [token, newPassword]) site.secrets.add(secret)
  return { client, page, mail, link, token, code, reference: client.reference }
}

/** Some other code. */
export function wrong(code: string, offset = 1): string {
  return String((Number(code) + offset) % 1_000_000).padStart(6, '0')
}

/** The mails from now on, read when the courier has nothing left to do: what is not there never comes. */
export async function watchMail(site: Site): Promise<() => Promise<Received[]>> {
  await idle(site)
  const before = site.smtp.mails.length
  return async () => {
    await idle(site)
    return site.smtp.mails.slice(before)
  }
}

export async function idle(site: Site): Promise<void> {
  const underway = "select 1 from mail_job where state in ('queued', 'sending')"
  await eventually(() => site.rows(underway).length === 0)
}

/** An answer with its headers as they were sent: in their order and their spelling. */
export interface Answer {
  readonly status: string
  readonly headers: readonly string[]
  readonly body: string
}

interface Wanted extends More {
  readonly method?: string
  /** Sent as it is, whether or not it is a path. */
  readonly path?: string
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
