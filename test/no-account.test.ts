import { afterEach, expect, it } from 'vitest'
import type { User } from '../src/user.ts'
import type { Users } from '../src/users/users.ts'
import { hours, minutes } from './support/clock.ts'
import { accounts, newPassword, route, Site } from './support/site.ts'
import { eventually } from './support/wait.ts'

const { alice, mallory } = accounts
const nobody = 'nobody@site.example'

let site: Site
afterEach(() => site.stop())

const ask = (email: string, lang = 'en') => site.visitor().post(route, { email, lang })
const settled = () =>
  eventually(async () => {
    const open = await site.rows("select 1 from mail_job where state in ('queued', 'sending')")
    return open.length === 0
  })

it('mails nothing to an address without an account, unless the site wants that', async () => {
  site = await Site.start()
  await ask(nobody)
  await settled()
  expect(site.smtp.mails).toEqual([])
})

it.each([nobody, mallory.email])('tells %s once a day that there is no account', async (email) => {
  site = await Site.start({ recovery: { unknownAddress: 'mail' } })
  await ask(email, 'fr')
  const [mail] = await site.smtp.to(email)
  expect(mail?.mail.subject).toContain('Aucun compte')
  expect(mail?.mail.text).not.toMatch(/token=|revoke=/)
  site.clock.move(hours(23))
  await ask(email)
  await settled()
  expect(site.smtp.mails).toHaveLength(1)
  site.clock.move(hours(2))
  await ask(email)
  await site.smtp.to(email, 2)
})

it('tells it in spite of a mail server that was away, and once', async () => {
  site = await Site.start({ recovery: { unknownAddress: 'mail' } })
  site.smtp.refusals.push({ code: 451, at: 'rcpt' }, { code: 451, at: 'data' })
  await ask(nobody)
  await eventually(() => {
    site.clock.move(100)
    return site.smtp.mails.length > 0
  })
  await settled()
  expect(site.smtp.mails).toHaveLength(1)
})

it('grants no more mails to one than to an address with an account', async () => {
  site = await Site.start({
    recovery: { unknownAddress: 'mail' },
    limits: { perAccount: ['1/60s', '3/1h'] },
  })
  for (let each = 0; each < 5; each += 1) {
    for (const email of [alice.email, nobody]) await ask(email)
    await settled()
    site.clock.move(minutes(1))
  }
  const granted = await site.rows<{ subject_key: string; count: number }>(
    'select subject_key, count(*) as count from mail_job group by subject_key',
  )
  expect(granted.map((row) => row.count)).toEqual([3, 3])
})

it('tells an account that signs in elsewhere so, and gives it neither link nor code', async () => {
  const user: User = {
    id: '7',
    email: 'sso@site.example',
    name: 'Sam',
    locale: 'th',
    version: '',
    canReset: false,
  }
  const users: Users = {
    findByEmail: async (email) => (email === user.email ? user : null),
    findById: async (id) => (id === user.id ? user : null),
    setPassword: async () => {
      throw new Error('No password may be set')
    },
  }
  site = await Site.start({ recovery: { methods: ['link', 'code'] } }, { users })
  const visitor = site.visitor()
  const known = await visitor.follow(await visitor.post(route, { email: user.email }))
  const other = site.visitor()
  const unknown = await other.follow(await other.post(route, { email: nobody }))
  const masked = (body: string, email: string) =>
    body.replaceAll(email, '…').replace(/[2-9A-Z]{4}-[2-9A-Z]{4}/g, 'REF')
  expect(masked(known.body, user.email)).toBe(masked(unknown.body, nobody))
  const [mail] = await site.smtp.to(user.email)
  expect(mail?.mail.subject).toContain('การเข้าสู่ระบบ')
  expect(mail?.mail.text).toContain(`${site.url}/user/login`)
  expect(mail?.mail.text).not.toMatch(/token=|revoke=|^\d{6}$/m)
})

it('stops the link of an account that signs in elsewhere by now, and sets no password', async () => {
  const user = { id: '7', email: 'sso@site.example', name: null, locale: null, version: '' }
  const passwords: string[] = []
  let canReset = true
  const users: Users = {
    findByEmail: async () => ({ ...user, canReset }),
    findById: async () => ({ ...user, canReset }),
    setPassword: async (_, hash) => passwords.push(hash) > 0,
  }
  site = await Site.start({}, { users })
  const link = await site.mailedLink(user.email)
  const visitor = site.visitor()
  const form = await visitor.follow(await visitor.get(link))
  canReset = false
  expect((await site.visitor().get(link)).reason).toBe('link-invalid')
  const late = await visitor.post(route, { password: newPassword, csrf: form.field('csrf') })
  expect([late.status, late.reason]).toEqual([404, 'link-invalid'])
  expect(passwords).toEqual([])
})
