import { compare } from 'bcryptjs'
import Database from 'better-sqlite3'
import { parseCookie, stringifySetCookie } from 'cookie'
import {
  Action,
  field,
  HtmlResponse,
  header,
  type Request,
  type Response,
  type ServerRequest,
} from '../action.ts'
import { foldAscii } from '../address.ts'
import type { Config } from '../config/config.ts'
import { isAtThisMachine, isForeign } from '../origin.ts'
import { randomId } from '../proof/secret.ts'
import type { Templates } from '../templates.ts'
import { demoAccounts, demoDatabase, demoPassword } from './accounts.ts'

interface Account {
  readonly id: number
  readonly email: string
  readonly name: string
  readonly password: string
}

const cookieName = 'demo_session'
// Compared with when the address is unknown, so that an answer takes as long.
const nobody: Account = { id: 0, email: '', name: '', password: `$2b$10$${'.'.repeat(53)}` }

/** A small site with a login page: what a recovery is for. */
export class DemoSite {
  readonly #config: Config
  readonly #templates: Templates
  readonly #styles: readonly string[]
  readonly #links: readonly (readonly [label: string, href: string])[]
  readonly #database: Database.Database

  /** @param links What else is there for whoever sits at this machine, each with its label. */
  constructor(
    config: Config,
    templates: Templates,
    styles: readonly string[],
    links: readonly (readonly [label: string, href: string])[],
  ) {
    this.#config = config
    this.#templates = templates
    this.#styles = styles
    this.#links = links
    this.#database = new Database(demoDatabase(config.dataDir))
  }

  /** Its pages by their paths. */
  pages(): ReadonlyMap<string, Action> {
    const { loginUrl } = this.#config.site
    const login = loginUrl.startsWith('/') ? loginUrl : '/user/login'
    return new Map([
      ['/', page((request) => this.#home(request))],
      [login, page((request) => this.#login(request))],
      ['/user/logout', page((request) => this.#logout(request))],
    ])
  }

  close(): void {
    this.#database.close()
  }

  async #home(request: ServerRequest): Promise<Response> {
    const account = this.#signedIn(request)
    if (account === null) return redirect(this.#config.site.loginUrl)
    const { count } = this.#database
      .prepare('select count(*) as count from sessions where user_id = ?')
      .get(account.id) as { count: number }
    const data = { name: account.name, email: account.email, sessions: count }
    return this.#page(request, 'demo/home', data)
  }

  async #login(request: ServerRequest): Promise<Response> {
    if (request.method !== 'POST') return this.#loginPage(request, field(request, 'email'), false)
    if (isForeign(request, this.#config.site.url)) return new HtmlResponse('Forbidden', 403)
    const email = field(request, 'email').trim()
    const account = this.#find(email)
    const password = field(request, 'password').normalize('NFC')
    const isRight = await compare(password, (account ?? nobody).password)
    if (account === null || !isRight) return this.#loginPage(request, email, true)
    const id = randomId()
    // Only if the password is still the one that was compared: while that took its time it may have been changed,
    // and the sessions of the old one have been ended.
    const { changes } = this.#database
      .prepare(
        'insert into sessions (id, user_id) select ?, id from users where id = ? and password = ?',
      )
      .run(id, account.id, account.password)
    return changes === 0 ? this.#loginPage(request, email, true) : redirect('/', sessionCookie(id))
  }

  async #logout(request: ServerRequest): Promise<Response> {
    if (request.method === 'POST' && !isForeign(request, this.#config.site.url)) {
      this.#database.prepare('delete from sessions where id = ?').run(sessionOf(request))
    }
    return redirect(this.#config.site.loginUrl, sessionCookie(''))
  }

  #find(email: string): Account | null {
    const row = this.#database
      .prepare('select id, email, name, password from users where lower(email) = ? and active = 1')
      .get(foldAscii(email))
    return (row as Account | undefined) ?? null
  }

  #signedIn(request: ServerRequest): Account | null {
    const row = this.#database
      .prepare(
        `select users.id, email, name, password from users
         join sessions on sessions.user_id = users.id where sessions.id = ? and active = 1`,
      )
      .get(sessionOf(request))
    return (row as Account | undefined) ?? null
  }

  #loginPage(request: ServerRequest, email: string, isWrong: boolean): Response {
    const data = { email, isWrong, accounts: demoAccounts, password: demoPassword }
    return this.#page(request, 'demo/login', data, isWrong ? 400 : 200)
  }

  #page(request: ServerRequest, template: string, data: object, status = 200): Response {
    const { route, site } = this.#config
    const view = {
      styles: this.#styles,
      site,
      forgot: route,
      links: isAtThisMachine(request) ? this.#links : [],
      data,
    }
    const body = this.#templates.render(template, view)
    return new HtmlResponse(body, status, { 'cache-control': 'no-store' })
  }
}

function page(answer: (request: ServerRequest) => Promise<Response>): Action {
  return new (class extends Action {
    html({ request }: Request): Promise<Response> {
      return answer(request)
    }
  })()
}

function redirect(location: string, cookie?: string): Response {
  return new HtmlResponse('', 303, {
    location,
    'cache-control': 'no-store',
    ...(cookie === undefined ? {} : { 'set-cookie': cookie }),
  })
}

function sessionOf(request: ServerRequest): string {
  return parseCookie(header(request, 'cookie'))[cookieName] ?? ''
}

function sessionCookie(value: string): string {
  const life = value === '' ? { maxAge: 0 } : {}
  return stringifySetCookie({
    name: cookieName,
    value,
    path: '/',
    httpOnly: true,
    sameSite: 'lax',
    ...life,
  })
}
