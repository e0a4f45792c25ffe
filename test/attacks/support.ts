import { hashSync } from 'bcryptjs'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import type { ServerOverrides } from '../../src/server.ts'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import type { Received } from '../support/smtp.ts'
import type { Page, Visitor } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'

/** One site for the cases of a file or of a group: after each of them an ordinary reset still works there. */
export function attackedSite(config?: ConfigInput, overrides?: ServerOverrides): () => Site {
  let site: Site | null = null
  const running = () => {
    if (site === null) throw new Error('The site has not been started')
    return site
  }
  beforeAll(async () => {
    site = await Site.start(config, overrides)
  })
  endWithOrdinaryReset(running)
  afterAll(() => running().stop())
  return running
}

/** Ends every case of a file or a block with {@link expectOrdinaryReset}. */
export function endWithOrdinaryReset(site: () => Site): void {
  afterEach(() => expectOrdinaryReset(site()))
}

/** Somebody whom the attack did not concern asks for a link, follows it and sets a password. */
export async function expectOrdinaryReset(site: Site): Promise<void> {
  const { email } = newAccount(site)
  // Where its visitors reach the site under https, the test is what stands in front of it.
  const { pathname, search } = new URL(await site.mailedLink(email))
  const changed = await site.reset(`${pathname}${search}`, newPassword)
  expect([changed.status, changed.headers.get('location')]).toEqual([303, `${route}?step=done`])
  expect(site.hasPassword(email, newPassword)).toBe(true)
  expect(site.hasPassword(email, oldPassword)).toBe(false)
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
  return `member-${String(made).padStart(5, '0')}@site.example`
}

/** One more account of the site, so that no case meets what another has left. */
export function newAccount(
  site: Site,
  { email = newAddress(), name = 'Robin', language = 'en', active = 1 } = {},
): Account {
  const insert = site.database.prepare(
    'insert into members (mail, full_name, language, pw_hash, active) values (?, ?, ?, ?, ?)',
  )
  const { lastInsertRowid } = insert.run(email, name, language, oldHash, active)
  return { id: Number(lastInsertRowid), email }
}

/** The token that is mailed to somebody. */
export async function mailedToken(site: Site, email: string): Promise<string> {
  return new URL(await site.mailedLink(email)).searchParams.get('token') ?? ''
}

/** Resolves when no mail is owed: a clock that goes on meanwhile would have one sent twice, or too late. */
export async function settled(site: Site): Promise<void> {
  await eventually(
    async () => (await site.rows('select 1 from mail_job where ended_at is null')).length === 0,
  )
}

/** The mails from now on, read when the courier has nothing left to do: what is not there never comes. */
export async function watchMail(site: Site): Promise<() => Promise<Received[]>> {
  await settled(site)
  const before = site.smtp.mails.length
  return async () => {
    await settled(site)
    return site.smtp.mails.slice(before)
  }
}

/** Does something that must change neither an account, a session, a recovery nor what is to be mailed. */
export async function unchanged<T>(site: Site, work: () => Promise<T>): Promise<T> {
  const held = async () => ({
    members: site.database.prepare('select * from members order by member_no').all(),
    logins: site.database.prepare('select * from logins order by token').all(),
    resets: await site.rows('select id, state, expires_at from password_reset order by id'),
    jobs: await site.rows('select id from mail_job order by id'),
  })
  const before = await held()
  const result = await work()
  expect(await held()).toEqual(before)
  return result
}

/** One of the two ways to take the same step. */
export interface Format {
  readonly name: string
  /** The status of a request that is granted. */
  readonly granted: number
  /** The status of a password that is set. */
  readonly changed: number
  /** Sends fields; one that is a list is sent once for each of its values where the format can. */
  readonly post: (
    visitor: Visitor,
    fields: Readonly<Record<string, unknown>>,
    headers?: Record<string, string>,
  ) => Promise<Page>
  readonly reason: (page: Page) => unknown
}

export const form: Format = {
  name: 'a form',
  granted: 303,
  changed: 303,
  post: (visitor, fields, headers) => {
    const pairs = Object.entries(fields).flatMap(([name, value]) =>
      [value].flat().map((each) => [name, String(each)]),
    )
    return visitor.post(route, new URLSearchParams(pairs).toString(), headers)
  },
  reason: (page) => {
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    return page.reason
  },
}

export const json: Format = {
  name: 'JSON',
  granted: 202,
  changed: 200,
  post: (visitor, fields, headers = {}) => visitor.json(route, fields, { headers }),
  reason: (page) => page.json['reason'],
}

export const formats = [form, json]
