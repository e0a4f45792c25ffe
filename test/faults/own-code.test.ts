import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { UserTable } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { openSiteSqlite } from '../../src/store/sqlite.ts'
import type { User } from '../../src/user.ts'
import { SqlUsers } from '../../src/users/sql.ts'
import { TimelyUsers } from '../../src/users/timely.ts'
import { newAccount, newAddress } from '../attacks/support.ts'
import { seconds } from '../support/clock.ts'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import type { Received } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'
import { expectInvariants, masked } from './invariants.ts'
import { mailTo, noticesTo, person, restart, write } from './support.ts'

describe('accounts in code', () => {
  let site: Site
  /** What they do instead of answering; `null`: they answer. */
  let fault: ((email: string) => Promise<never>) | null = null
  let accounts: SqlUsers
  const writeHash = (user: User, hash: string) => accounts.setPassword(user, hash)
  let setPassword = writeHash
  beforeAll(async () => {
    site = await Site.start()
    const users = loadConfig(site.config, { env: {} }).users as UserTable
    accounts = await SqlUsers.open(openSiteSqlite(users.url), users)
    await site.server?.close()
    const inCode = {
      findByEmail: (email: string) => fault?.(email) ?? accounts.findByEmail(email),
      findById: (id: string) => fault?.(id) ?? accounts.findById(id),
      setPassword: (user: User, hash: string) => fault?.(user.email) ?? setPassword(user, hash),
    }
    // Less patient than the ten seconds that a site has.
    await site.listen({ users: new TimelyUsers(inCode, 150) })
  })
  afterEach(async () => {
    fault = null
    setPassword = writeHash
    await expectInvariants(site)
  })
  afterAll(async () => {
    await accounts.close()
    await site.stop()
  })

  it.each([
    [
      'throw',
      500,
      (email: string) => {
        throw new Error(`There is no ${email}`)
      },
    ],
    [
      'fail',
      500,
      async (email: string) => {
        throw new Error(`There is no ${email}`)
      },
    ],
    ['hang', 503, () => new Promise<never>(() => {})],
  ])(
    'Z23 that %s are the same for everybody, spend nothing, and cost no mail',
    async (_, status, how) => {
      const { email, link, token } = await person(site)
      fault = how
      const waiting = newAccount(site).email
      const addresses = [waiting, newAddress()]
      const pages = await Promise.all(
        addresses.map((address) => site.visitor().post(route, { email: address })),
      )
      const [one, other] = pages.map((page, index) => masked(page, addresses[index] ?? ''))
      expect(one).toEqual(other)
      expect((await site.visitor().get(link)).status).toBe(status)
      const page = await site.visitor().post(route, { token, password: newPassword })
      expect([page.status, page.step]).toEqual([status, 'error'])
      await eventually(
        async () => (await site.rows('select 1 from mail_job where last_error is not null')).length,
      )
      fault = null
      setPassword = ({ email: whose }) => how(whose)
      expect((await site.visitor().post(route, { token, password: newPassword })).status).toBe(
        status,
      )
      expect(site.hasPassword(email, oldPassword)).toBe(true)
      setPassword = writeHash
      expect((await site.reset(link)).status).toBe(303)
      await mailTo(site, waiting)
    },
  )

  it('Z23 that write, and answer too late, end the link and are found to have written', async () => {
    const { email, link, token } = await person(site)
    setPassword = async (user, hash) => {
      await accounts.setPassword(user, hash)
      return new Promise((_, reject) => setTimeout(reject, 200, new Error('Too late, and wrong')))
    }
    const page = await site.visitor().post(route, { token, password: newPassword })
    expect([page.status, page.reason]).toEqual([503, 'unavailable'])
    expect(site.hasPassword(email, newPassword)).toBe(true)
    expect((await site.visitor().get(link)).status).toBe(404)
    site.clock.move(seconds(31))
    await eventually(() => noticesTo(site, email).length === 1)
  })

  it('Z23 that answer twice have answered once, with the first', async () => {
    const { email, link, token } = await person(site)
    let answers = 0
    setPassword = (user, hash) =>
      new Promise((resolve, reject) => {
        void accounts.setPassword(user, hash).then((isWritten) => {
          answers += 1
          resolve(isWritten)
          resolve(false)
          reject(new Error('And once more'))
        })
      })
    const page = await site.visitor().post(route, { token, password: newPassword })
    expect(page.headers.get('location')).toBe(`${route}?step=done`)
    const again = await site.visitor().post(route, { token, password: oldPassword })
    expect([again.status, again.reason]).toEqual([410, 'link-used'])
    expect([answers, site.hasPassword(email, newPassword)]).toEqual([1, true])
    expect((await site.visitor().get(link)).status).toBe(410)
  })

  it('Z23 that refuse to write keep the password, and the link', async () => {
    const { email, link, token } = await person(site)
    setPassword = async () => false
    const page = await site.visitor().post(route, { token, password: newPassword })
    expect([page.status, page.reason]).toEqual([404, 'link-invalid'])
    expect(site.hasPassword(email, oldPassword)).toBe(true)
    setPassword = writeHash
    expect((await site.reset(link)).status).toBe(303)
  })
})

describe('a template that fails at some renderings alone', () => {
  let site: Site
  const victim = 'victim@site.example'
  beforeAll(async () => {
    site = await Site.start()
    site.database
      .prepare(
        "insert into members (mail, pw_hash, language) select ?, pw_hash, 'en' from members limit 1",
      )
      .run(victim)
  })
  afterAll(() => site.stop())

  const main = '<main data-step="<%= it.step %>" data-reason="<%= it.reason %>">'
  const failingIn = (tag: string) =>
    `<% if (it.lang === '${tag}') throw new Error(String(it.data?.email)) %>`
  const own = async (folder: string, files: Readonly<Record<string, string>>) => {
    write(
      site,
      Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text])),
    )
    await restart(site, { templates: join(site.folder, folder) })
  }

  it('Z22 of a page is answered with the house’s error page, and a number that stands in the log', async () => {
    await own('one', {
      'forgot.eta': `<% layout('layout') %><input name="email">${failingIn('fr')}`,
    })
    const page = await site.visitor().get(`${route}?lang=fr&email=${victim}`)
    expect([page.status, page.step, page.reason]).toEqual([500, 'error', 'internal'])
    expect(page.body).toContain('<html lang="fr"')
    expect(site.logLines.filter((line) => line.includes(page.reference))).toHaveLength(1)
    expect((await site.visitor().get(route)).status).toBe(200)
    await expectInvariants(site)
  })

  it('Z22 of all pages is answered without any template', async () => {
    await own('two', { 'layout.eta': `${main}<%~ it.body %></main>${failingIn('fr')}` })
    const page = await site.visitor().get(`${route}?lang=fr&email=${victim}`)
    expect([page.status, page.step, page.reason]).toEqual([500, 'error', 'internal'])
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page.reference).not.toBe('')
    await expectInvariants(site)
  })

  it('Z22 of a mail keeps that one back: it is tried again until its link ends, and then parked', async () => {
    const text = '---\nsubject: <%= it.reference %>\n---\n<%~ it.button("Go", it.link) %>'
    const throwing = `<% if (it.account === '${victim}') throw new Error(it.link + it.account) %>`
    await own('three', { 'email/en/link.eta': `${text}${throwing}` })
    const answer = await site.visitor().post(route, { email: victim })
    expect(answer.status).toBe(303)
    const failed = 'select state, attempts, last_error from mail_job where last_error is not null'
    const job = async () => (await site.rows<{ attempts: number }>(failed))[0]
    const mailsToVictim = (): Received[] =>
      site.smtp.mails.filter(({ recipients }) => recipients.includes(victim))
    await eventually(async () => {
      site.clock.move(seconds(1))
      return ((await job())?.attempts ?? 0) > 2
    })
    await site.mailedLink(newAccount(site).email)
    expect(await job()).toMatchObject({ last_error: 'The mail could not be made' })
    expect(mailsToVictim()).toEqual([])
    site.clock.move(seconds(3600))
    await eventually(
      async () => (await site.rows("select 1 from mail_job where state = 'dead'")).length > 0,
    )
    expect(mailsToVictim()).toEqual([])
    await expectInvariants(site)
  })
})
