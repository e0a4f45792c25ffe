import { argon2Sync, randomBytes } from 'node:crypto'
import { compareSync, hashSync } from 'bcryptjs'
import { afterEach, expect } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import type { Page, Visitor } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'

const oldHash = hashSync(oldPassword, 4)

/** A site that looks passwords up in no list: to read the lists takes longer than most cases do. */
export function startSite(config: ConfigInput = {}): Promise<Site> {
  const password = { blockCommon: false, strength: 0, ...config.password }
  return Site.start({ ...config, password })
}

/** An account that no other case touches; its address. */
export function addPerson(site: Site, name = 'Robin', language = 'en'): string {
  const email = unknownAddress()
  site.database
    .prepare('insert into members (mail, full_name, language, pw_hash) values (?, ?, ?, ?)')
    .run(email, name, language, oldHash)
  return email
}

/** An address that no account has, as long as those of {@link addPerson}. */
export function unknownAddress(): string {
  return `p${randomBytes(6).toString('hex')}@site.example`
}

/** The token that is mailed to somebody. */
export async function mailedToken(site: Site, email: string): Promise<string> {
  return new URL(await site.mailedLink(email)).searchParams.get('token') ?? ''
}

/** Resolves when no mail is owed: a clock that goes on meanwhile would have one sent twice, or too late. */
export async function settled(site: Site): Promise<void> {
  await eventually(() => site.rows('select 1 from mail_job where ended_at is null').length === 0)
}

/** Somebody whom the attack did not concern asks for a link, follows it and sets a password. */
export async function expectOrdinaryReset(site: Site): Promise<void> {
  const email = addPerson(site)
  // Where its visitors reach the site under https, the test is what stands in front of it.
  const { pathname, search } = new URL(await site.mailedLink(email))
  const changed = await site.reset(`${pathname}${search}`, newPassword)
  expect([changed.status, changed.headers.get('location')]).toEqual([303, `${route}?step=done`])
  expect(signsIn(site, email, newPassword)).toBe(true)
  expect(signsIn(site, email, oldPassword)).toBe(false)
}

/** Ends every case of a file or a block with {@link expectOrdinaryReset}. */
export function endWithOrdinaryReset(site: () => Site): void {
  afterEach(() => expectOrdinaryReset(site()))
}

/** Whether the site's login takes a password: it brings what is typed to NFC, and changes nothing else. */
export function signsIn(site: Site, email: string, typed: string): boolean {
  const password = typed.normalize('NFC')
  const hash = site.hashOf(email)
  const [, salt, tag] = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$([^$]+)\$([^$]+)$/.exec(hash) ?? []
  if (salt === undefined || tag === undefined) return compareSync(password, hash)
  const made = argon2Sync('argon2id', {
    message: password,
    nonce: Buffer.from(salt, 'base64'),
    memory: 19_456,
    passes: 2,
    parallelism: 1,
    tagLength: 32,
  })
  return made.equals(Buffer.from(tag, 'base64'))
}

/** Does something that must change neither an account, a session, a recovery nor what is to be mailed. */
export async function unchanged<T>(site: Site, work: () => Promise<T>): Promise<T> {
  const held = () => ({
    members: site.database.prepare('select * from members order by member_no').all(),
    logins: site.database.prepare('select * from logins order by token').all(),
    resets: site.rows('select id, state, expires_at from password_reset order by id'),
    jobs: site.rows('select id from mail_job order by id'),
  })
  const before = held()
  const result = await work()
  expect(held()).toEqual(before)
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
