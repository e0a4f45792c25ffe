import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import { hours, minutes } from '../support/clock.ts'
import { accounts, newPassword, oldPassword, route, Site } from '../support/site.ts'
import { codeIn, linkIn } from '../support/smtp.ts'
import { inFile } from '../support/store.ts'
import { eventually } from '../support/wait.ts'
import { bytesOf, raw } from './raw.ts'
import { endWithOrdinaryReset, formats, newAccount, newAddress, settled } from './support.ts'

let site: Site
afterEach(() => site.stop())
// Hooks run in reverse: the reset comes before the end.
endWithOrdinaryReset(() => site)

it.each(formats)(
  'M1 no secret and no address is in the log, at its most talkative, by $name',
  async (format) => {
    const { post, changed } = format
    const smtpPassword = 'the password of the mail server'
    site = await Site.start({
      recovery: { methods: ['link', 'code'] },
      smtp: { user: 'mailer', pass: smtpPassword },
    })
    for (const each of [smtpPassword, oldPassword, newPassword, String(site.config.secret)])
      site.secrets.add(each)
    let isOpen = false
    await site.smtp.stop()
    await site.smtp.listen(site.smtp.port, {
      onAuth: ({ username, password }, _session, done) => {
        const error = new Error(`The password of ${username} is wrong`)
        if (isOpen && password === smtpPassword) done(null, { user: 'mailer' })
        else done(Object.assign(error, { responseCode: 454 }))
      },
      onRcptTo: ({ address }, _session, done) => {
        const error = new Error(`User <${address}> (${address}) is not known here`)
        done(address.startsWith('refused') ? Object.assign(error, { responseCode: 550 }) : null)
      },
    })
    const visitor = site.visitor()
    const send = async (fields: Record<string, unknown>) => {
      for (const value of Object.values(fields).flat())
        if (String(value).length > 5) site.secrets.add(String(value))
      return post(visitor, fields)
    }
    const { email } = newAccount(site)
    await send({ email })
    await eventually(() => site.logLines.some((line) => line.includes('mail not accepted')))
    isOpen = true
    await eventually(() => {
      site.clock.move(50)
      return site.smtp.mails.length > 0
    })
    const [mail] = await site.smtp.to(email)
    const token = new URL(linkIn(mail)).searchParams.get('token') ?? ''
    const code = codeIn(mail)
    const reference = /[A-Z][2-9A-Z]{3}-[2-9A-Z]{4}/.exec(mail?.mail.subject ?? '')?.[0] ?? ''
    for (const text of mail?.mail.text?.match(/https?:\S+/g) ?? []) site.secrets.add(text)

    const gone = 'refused@site.example'
    site.database.prepare("insert into members (mail, pw_hash) values (?, 'x')").run(gone)
    for (const to of [gone, newAddress(), accounts.mallory.email]) await send({ email: to })
    await eventually(() => site.logLines.some((line) => line.includes('mail given up')))
    await post(visitor, { code: code === '000000' ? '000001' : '000000', reference })
    site.secrets.add(code)
    expect((await post(site.visitor(), { code, email })).status).toBe(changed)
    await send({ token: `${token.slice(1)}A`, password: newPassword })
    await send({ token, password: 'a password: short' })
    await send({ token, password: newPassword, email: 'evil@evil.example' })
    await send({ token, password: 'another passphrase of mine' })

    // What nobody expects: a path, a query, a header, and what is no HTTP at all.
    for (const path of [`/user/${token}`, `/${email}`, `${route}?token=${token}&email=${email}`]) {
      await visitor.get(path)
      await visitor.json(path, null, { method: 'GET' })
    }
    const cookie = `forgot=${token}; session=${token}`
    const headers = { cookie, referer: `${site.url}/?token=${token}`, authorization: token }
    await visitor.get(route, headers)
    await raw(site, bytesOf({ method: `GE\u0001T ${token}`, path: `/${token}` }))
    await raw(site, `GET /%zz${token} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await raw(site, bytesOf({ method: 'POST', path: route, headers: jsonType, body: `{"${token}` }))

    // What breaks: the accounts are away while a good link is used.
    const { email: other } = newAccount(site)
    const opened = await site.mailedLink(other)
    site.database.exec('alter table members rename to away')
    expect((await visitor.get(opened)).status).toBe(503)
    await send({ token: new URL(opened).searchParams.get('token'), password: newPassword })
    site.database.exec('alter table away rename to members')
    await settled(site)
    expect(site.logLines.length).toBeGreaterThan(30)
    site.expectSilentLog()
  },
)

const jsonType = { 'Content-Type': 'application/json' }

describe.each(['used', 'never used'])('a day after a link that was %s has ended', (end) => {
  it('M4 its rows are gone, and no sooner', async () => {
    site = await startImpatiently()
    await ask(end)
    const before = await rows()
    expect(before).toBeGreaterThanOrEqual(4)
    site.clock.move(hours(23))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await rows()).toBe(before)
    site.clock.move(hours(2))
    await expect.poll(rows).toBe(0)
  })

  it('M4 no file of the store holds any of it, the log of its writes included', async () => {
    site = await startImpatiently({ store: inFile })
    await ask(end)
    const traces = (
      await site.rows<Record<string, string | null>>(
        `select token_hash, reference, account_mark, mail_job.id
        from password_reset join mail_job on reset_id = password_reset.id`,
      )
    ).flatMap((row) => Object.values(row).filter((value) => value !== null))
    expect(traces.length).toBeGreaterThanOrEqual(14)
    site.clock.move(hours(25))
    await expect.poll(rows).toBe(0)
    const left = async () => {
      const dump = await site.store.dump()
      return traces.filter((trace) => dump.includes(trace))
    }
    await expect.poll(left).toEqual([])
  })
})

/** A site that deletes what is old not once a minute but at once: no test's clock moves its timer. */
async function startImpatiently(config: ConfigInput = {}): Promise<Site> {
  const { setInterval } = globalThis
  const timer = vi.spyOn(globalThis, 'setInterval')
  const impatient = (work: () => void, ms: number) => setInterval(work, ms === minutes(1) ? 20 : ms)
  timer.mockImplementation(impatient as typeof globalThis.setInterval)
  try {
    return await Site.start({ recovery: { methods: ['link', 'code'] }, ...config })
  } finally {
    timer.mockRestore()
  }
}

/** An account and nobody are asked for, twice each, and the hour of their links passes. */
async function ask(end: string): Promise<void> {
  const people = [newAccount(site).email, newAddress()] as const
  for (const { post } of formats) {
    for (const email of people) await post(site.visitor(), { email })
  }
  const mails = await site.smtp.to(people[0], 2)
  if (end === 'used') await site.reset(linkIn(mails[0]))
  await settled(site)
  site.clock.move(hours(1))
  const live = () => site.rows("select 1 from password_reset where state = 'live'")
  await expect.poll(live).toEqual([])
}

/** How many rows there are of recoveries and their mails. */
async function rows(): Promise<number> {
  return (await site.rows('select id from password_reset union all select id from mail_job')).length
}
