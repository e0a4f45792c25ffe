import { expect } from 'vitest'
import { newPassword, route, type Site } from '../support/site.ts'
import { linkIn, type Received } from '../support/smtp.ts'
import type { Page, Visitor } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'
import { type Format, form } from './support.ts'

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
    const page = await (this.format === form
      ? this.visitor.post(path, body as Record<string, string> | string, headers)
      : this.visitor.json(path, body, { headers }))
    return this.#checked(page)
  }

  /** @param path That of the pages, where it is a query alone. */
  async get(path: string, headers: Record<string, string> = {}): Promise<Page> {
    const whole = path.startsWith('?') ? `${route}${path}` : path
    const page = await (this.format === form
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
    const known = this.format === form ? {} : { reference: this.reference }
    return this.#prove(await this.post({ ...known, code, ...fields }, more))
  }

  /** Sets a password with what was opened or typed last. */
  change(password: string, fields: Fields = {}): Promise<Page> {
    return this.post({ ...this.proof, password, confirm: password, ...fields })
  }

  async #prove(page: Page): Promise<Page> {
    if (this.format !== form) {
      const data = page.json['data'] as { token?: string } | undefined
      if (data?.token !== undefined) this.proof = { token: data.token }
      return page
    }
    if (page.status !== 303) return page
    const opened = await this.visitor.follow(page)
    this.proof = { csrf: opened.field('csrf') }
    return opened
  }

  /** Whatever happens, a browser is shown a page and a program is sent JSON. */
  #checked(page: Page): Page {
    const type = this.format === form ? 'text/html' : 'application/json'
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
  client: Client = new Client(site, form),
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
