import { afterEach, beforeEach, expect, it } from 'vitest'
import { accounts, newPassword, oldPassword, route, Site } from './support/site.ts'
import { codeIn, linkIn, type Received } from './support/smtp.ts'

const { alice, bob } = accounts

let site: Site
beforeEach(async () => {
  site = await Site.start({ recovery: { methods: ['link', 'code'] } })
  site.database.exec("insert into logins values ('a', 1), ('b', 1), ('c', 2)")
})
afterEach(() => site.stop())

const sessions = () => site.database.prepare('select token from logins').pluck().all()

async function ask(email: string = alice.email): Promise<Received | undefined> {
  await site.visitor().post(route, { email })
  return (await site.smtp.to(email)).at(-1)
}

function revokeUrlIn(mail: Received | undefined): string {
  const [url = ''] = /http:[^\s\]"]+\?revoke=[\w.-]+/.exec(mail?.mail.text ?? '') ?? []
  const token = new URL(url).searchParams.get('revoke') ?? ''
  site.secrets.add(token)
  return url
}

it('kills the link and the code, and ends the sessions, at the press of its button', async () => {
  const mail = await ask()
  const link = linkIn(mail)
  const code = codeIn(mail)
  for (const secret of [code, new URL(link).searchParams.get('token') ?? ''])
    site.secrets.add(secret)
  const opened = site.visitor()
  const form = await opened.follow(await opened.get(link))

  const visitor = site.visitor()
  const page = await visitor.get(revokeUrlIn(mail))
  expect([page.status, page.step]).toEqual([200, 'revoke'])
  const revoke = /name="revoke" value="([^"]+)"/.exec(page.body)?.[1] ?? ''
  const done = await visitor.follow(await visitor.post(route, { revoke }))
  expect([done.status, done.step]).toEqual([200, 'revoked'])
  expect(sessions()).toEqual(['c'])

  expect((await site.visitor().get(link)).reason).toBe('link-invalid')
  const late = await opened.post(route, { password: newPassword, csrf: form.field('csrf') })
  expect([late.status, late.reason]).toEqual([404, 'link-invalid'])
  const { reference } = page
  expect((await site.visitor().post(route, { code, reference })).status).toBe(400)
  expect(site.hasPassword(alice.email, oldPassword)).toBe(true)
  await site.reset(await site.mailedLink(alice.email))
  expect(site.hasPassword(alice.email, newPassword)).toBe(true)
})

it('does nothing when a mail scanner follows the link', async () => {
  const mail = await ask()
  const url = revokeUrlIn(mail)
  for (let each = 0; each < 5; each += 1) await site.visitor().get(url)
  await site.visitor().head(url)
  expect(sessions()).toHaveLength(3)
  expect((await site.reset(linkIn(mail))).status).toBe(303)
})

it('comes with the news of a changed password too, and ends what the intruder has begun', async () => {
  await site.reset(await site.mailedLink(alice.email))
  const changed = (await site.smtp.to(alice.email, 2)).at(-1)
  expect(changed?.mail.subject).toContain('was changed')
  site.database.exec("insert into logins values ('intruder', 1)")
  const next = await site.mailedLink(alice.email)
  const visitor = site.visitor()
  const revoke = new URL(revokeUrlIn(changed)).searchParams.get('revoke') ?? ''
  expect((await visitor.post(route, { revoke })).status).toBe(303)
  expect(sessions()).toEqual(['c'])
  expect((await site.visitor().get(next)).reason).toBe('link-invalid')
})

it('ends nothing for anybody else', async () => {
  const other = linkIn(await ask(bob.email))
  const url = revokeUrlIn(await ask())
  const token = new URL(url).searchParams.get('revoke') ?? ''
  const [id = '', mac = ''] = token.split('.')
  const [otherId] = await site.rows<{ id: string }>(
    "select id from password_reset where user_id = '2'",
  )
  for (const revoke of ['', 'x', mac, `${id}.${mac}x`, `${otherId?.id}.${mac}`, `${id}.${id}`]) {
    const page = await site.visitor().post(route, { revoke })
    expect([page.status, page.reason]).toEqual([404, 'link-invalid'])
  }
  const foreign = await site
    .visitor()
    .post(route, { revoke: token }, { 'sec-fetch-site': 'cross-site' })
  expect(foreign.status).toBe(403)
  expect(sessions()).toHaveLength(3)
  await site.visitor().post(route, { revoke: token })
  expect((await site.reset(other)).status).toBe(303)
})

it('is told to programs as well', async () => {
  const url = new URL(revokeUrlIn(await ask()))
  const client = site.visitor()
  const looked = await client.json(`${url.pathname}${url.search}`, null, { method: 'GET' })
  expect([looked.status, looked.json['step']]).toEqual([200, 'revoke'])
  const done = await client.json(route, { revoke: url.searchParams.get('revoke') })
  expect(done.json).toEqual({
    success: true,
    step: 'revoked',
    message: 'Thank you for telling us',
    data: {},
  })
  expect(sessions()).toEqual(['c'])
})
