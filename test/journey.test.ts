import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hours } from './support/clock.ts'
import { accounts, lists, newPassword, oldPassword, route, Site, secret } from './support/site.ts'
import { linkIn } from './support/smtp.ts'
import type { Page } from './support/visitor.ts'

const { alice, bob } = accounts

let site: Site
beforeEach(async () => {
  site = await Site.start({ password: lists })
})
afterEach(() => site.stop())

it('goes from the form to the mail, to the link, to a new password', async () => {
  const visitor = site.visitor()
  const form = await visitor.get(route)
  expect([form.status, form.step, form.field('email')]).toEqual([200, 'form', ''])
  const passedOn = await visitor.get(`${route}?email=${alice.email}`)
  expect([passedOn.step, passedOn.field('email')]).toEqual(['form', alice.email])

  const asked = await visitor.post(route, { email: alice.email, lang: 'en' })
  expect([asked.status, asked.headers.get('location')]).toEqual([303, `${route}?step=sent`])
  const sent = await visitor.follow(asked)
  expect([sent.status, sent.step]).toEqual([200, 'sent'])
  expect(sent.body).toContain(alice.email)

  const [mail] = await site.smtp.to(alice.email)
  expect(mail?.mail.subject).toContain(sent.reference)
  const opened = await visitor.get(linkIn(mail))
  expect([opened.status, opened.headers.get('location')]).toEqual([303, `${route}?step=reset`])
  const reset = await visitor.follow(opened)
  expect([reset.status, reset.step]).toEqual([200, 'reset'])
  expect(reset.field('username')).toBe(alice.email)
  expect((await visitor.get(`${route}?step=sent`)).reference).toBe(sent.reference)

  const changed = await visitor.post(route, { password: newPassword, csrf: reset.field('csrf') })
  expect([changed.status, changed.headers.get('location')]).toEqual([303, `${route}?step=done`])
  const done = await visitor.follow(changed)
  expect([done.status, done.step]).toEqual([200, 'done'])
  // Nothing is left in this browser that could be shown or asked for again.
  expect((await visitor.get(`${route}?step=sent`)).reason).toBe('page-expired')
  expect((await visitor.post(route, { resend: '1' })).headers.get('location')).toBe(route)

  expect(site.hasPassword(alice.email, newPassword)).toBe(true)
  expect(site.hasPassword(alice.email, oldPassword)).toBe(false)
  const mails = await site.smtp.to(alice.email, 2)
  expect(mails[1]?.mail.subject).toContain('was changed')
})

it('ends without news of it where the site wants none', async () => {
  await site.server?.close()
  site.config = { ...site.config, mail: { ...site.config.mail, notifyChanged: false } }
  await site.listen()
  expect((await site.reset(await site.mailedLink(alice.email))).status).toBe(303)
  expect(site.hasPassword(alice.email, newPassword)).toBe(true)
  expect(await site.rows("select * from mail_job where kind = 'changed'")).toEqual([])
})

it('mails the stored spelling of an address, in the language of the account', async () => {
  await site.visitor().post(route, { email: 'bOB@site.EXAMPLE', lang: 'en' })
  const [mail] = await site.smtp.to(bob.email)
  expect(mail?.mail.subject).toContain('Réinitialisez')
})

it('asks again for what is no address, with what was typed', async () => {
  const empty = await site.visitor().post(route, { email: ' ' })
  expect([empty.status, empty.step, empty.reason]).toEqual([400, 'form', 'email-missing'])
  const wrong = await site.visitor().post(route, { email: '"><b>x' })
  expect([wrong.status, wrong.step, wrong.reason]).toEqual([400, 'form', 'email-invalid'])
  expect(wrong.body).toContain('value="&quot;&gt;&lt;b&gt;x"')
  expect(await site.rows('select * from mail_job')).toEqual([])
})

describe('a link', () => {
  it.each([alice.email, bob.email])(
    'of %s that has expired is one click from a new one',
    async (email) => {
      const link = await site.mailedLink(email)
      site.clock.move(hours(2))
      const visitor = site.visitor()
      expect((await visitor.get(link)).body).toContain('name="resend"')
      const asked = await visitor.post(route, { resend: '1' })
      expect((await visitor.follow(asked)).step).toBe('sent')
      expect(linkIn((await site.smtp.to(email, 2))[1])).not.toBe(link)
    },
  )

  it('that is dead tells nobody the account’s new address', async () => {
    const link = await site.mailedLink(alice.email)
    site.database.exec("update members set mail = 'new@site.example' where member_no = 1")
    site.clock.move(hours(2))
    const visitor = site.visitor()
    const page = await visitor.get(link)
    expect([page.status, page.reason]).toEqual([410, 'link-expired'])
    expect(page.body).not.toContain('name="resend"')
    await visitor.post(route, { resend: '1' })
    expect((await visitor.get(`${route}?step=sent`)).body).not.toContain('new@site.example')
  })

  it('is mailed anew when the account has changed since it was mailed', async () => {
    const link = await site.mailedLink(alice.email)
    site.database.exec("update members set pw_hash = 'theirs' where member_no = 1")
    const later = await site.mailedLink(alice.email)
    expect(later).not.toBe(link)
    expect((await site.visitor().get(link)).reason).toBe('link-replaced')
    expect((await site.visitor().get(later)).status).toBe(303)
  })
})

describe('the reset form', () => {
  it('outlives a change of the secret while the old one is listed', async () => {
    const visitor = site.visitor()
    const form = await visitor.follow(await visitor.get(await site.mailedLink(alice.email)))
    await site.server?.close()
    const newer = secret.replaceAll('b', 'c')
    site.config = { ...site.config, secret: [newer, secret] }
    await site.listen()
    const changed = await visitor.post(route, { password: newPassword, csrf: form.field('csrf') })
    expect([changed.status, changed.headers.get('location')]).toEqual([303, `${route}?step=done`])
  })
})

describe('languages', () => {
  it('are chosen by ?lang, then by the flow, then by the browser', async () => {
    const visitor = site.visitor()
    const lang = (page: Page) => /<html lang="([^"]+)"/.exec(page.body)?.[1]
    expect(lang(await visitor.get(route, { 'accept-language': 'th' }))).toBe('th')
    expect(lang(await visitor.get(`${route}?lang=ar`, { 'accept-language': 'th' }))).toBe('ar')
    await visitor.post(route, { email: alice.email, lang: 'ar' })
    expect(lang(await visitor.get(`${route}?step=sent`, { 'accept-language': 'th' }))).toBe('ar')
    expect(lang(await visitor.get(`${route}?step=sent&lang=fr`))).toBe('fr')
    expect(lang(await visitor.get(`${route}?step=sent`))).toBe('fr')
  })

  it('of the mail are those of its page', async () => {
    const visitor = site.visitor()
    await visitor.post(route, { email: accounts.somchai.email, lang: 'en' })
    const link = linkIn((await site.smtp.to(accounts.somchai.email))[0])
    const reader = site.visitor()
    const page = await reader.follow(await reader.get(link, { 'accept-language': 'fr' }))
    expect(page.headers.get('content-language')).toBe('th')
  })

  it('of the news are those of the page, where the account has none', async () => {
    site.database.exec('update members set language = null where member_no = 1')
    const visitor = site.visitor()
    await visitor.post(route, { email: alice.email, lang: 'fr' })
    await site.reset(linkIn((await site.smtp.to(alice.email))[0]))
    const [, news] = await site.smtp.to(alice.email, 2)
    expect(news?.mail.subject).toContain('mot de passe')
  })
})
