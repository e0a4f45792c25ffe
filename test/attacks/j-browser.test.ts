import type { Browser } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch } from '../support/chromium.ts'
import { minutes } from '../support/clock.ts'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import { codeIn, linkIn } from '../support/smtp.ts'
import type { Page, Visitor } from '../support/visitor.ts'
import { Demo } from './demo.ts'
import {
  endWithOrdinaryReset,
  expectOrdinaryReset,
  formats,
  mailedToken,
  newAccount,
  unchanged,
} from './support.ts'

let site: Site
/** As its visitors see it under https. */
let secure: Site
beforeAll(async () => {
  const recovery = { methods: ['link', 'code'] as ('link' | 'code')[] }
  site = await Site.start({ recovery })
  secure = await Site.start({ recovery })
  await secure.server?.close()
  secure.config = { ...secure.config, site: { name: 'Riverside', url: 'https://site.example' } }
  await secure.listen()
})
afterAll(async () => {
  await site.stop()
  await secure.stop()
})
endWithOrdinaryReset(() => site)

const foreign: readonly Record<string, string>[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'none' },
  { 'sec-fetch-site': 'cross-site', origin: 'https://site.example' },
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: 'http://127.0.0.1.evil.example' },
  { origin: 'http://127.0.0.1:1' },
]

/** A browser that is shown the reset form, and the form. */
async function openForm(email = newAccount(site).email): Promise<{ visitor: Visitor; form: Page }> {
  const visitor = site.visitor()
  const form = await visitor.follow(await visitor.get(await site.mailedLink(email)))
  // What a case sends beside the form is its own business.
  delete visitor.headers['sec-fetch-site']
  return { visitor, form }
}

it.each(formats)('J1 a request from elsewhere is refused, by $name', async ({ post, reason }) => {
  const visitor = site.visitor()
  delete visitor.headers['sec-fetch-site']
  const { email } = newAccount(site)
  await unchanged(site, async () => {
    for (const headers of foreign) {
      const page = await post(visitor, { email }, headers)
      expect([headers, page.status, reason(page)]).toEqual([headers, 403, 'cross-site'])
    }
  })
})

it('J1 a form from elsewhere is refused, cookie and token or not', async () => {
  const { visitor, form } = await openForm()
  const csrf = form.field('csrf')
  await unchanged(site, async () => {
    for (const headers of foreign) {
      for (const fields of [
        { password: newPassword, csrf },
        { resend: '1', csrf },
        { code: '123456', csrf },
      ]) {
        const page = await visitor.post(route, fields, headers)
        expect([headers, page.status, page.reason]).toEqual([headers, 403, 'cross-site'])
      }
    }
  })
  expect(await site.rows('select 1 from password_reset where tries > 0')).toEqual([])
  expect((await visitor.post(route, { password: newPassword, csrf })).status).toBe(303)
})

it('J1 a new password without the token of its own form is refused, and the account shown again', async () => {
  const { email } = newAccount(site)
  const { visitor } = await openForm(email)
  const other = await openForm()
  for (const csrf of [null, '', 'x', other.form.field('csrf'), [other.form.field('csrf'), 'x']]) {
    const body = new URLSearchParams([['password', newPassword]])
    for (const each of csrf === null ? [] : [csrf].flat()) body.append('csrf', each)
    const page = await unchanged(site, () => visitor.post(route, body.toString()))
    expect([page.status, page.step, page.reason]).toEqual([403, 'reset', 'page-outdated'])
    expect(page.field('username')).toBe(email)
  }
  expect(site.hasPassword(email, oldPassword)).toBe(true)
})

it('J1 our own forms and programs are not taken for foreign', async () => {
  const visitor = site.visitor()
  delete visitor.headers['sec-fetch-site']
  for (const headers of [
    {},
    { origin: site.url },
    { 'sec-fetch-site': 'same-origin', origin: 'null' },
  ] as Record<string, string>[]) {
    for (const { post, granted } of formats) {
      expect((await post(visitor, { email: newAccount(site).email }, headers)).status).toBe(granted)
    }
  }
})

/** Every page of the way with a link, then those of the code, then an error. */
async function everyPage(on: Site): Promise<[string, Page][]> {
  const { email } = newAccount(on)
  const visitor = on.visitor()
  const form = await visitor.get(route)
  const asked = await visitor.post(route, { email })
  const sent = await visitor.follow(asked)
  const [mail] = await on.smtp.to(email)
  const token = new URL(linkIn(mail)).searchParams.get('token')
  const code = codeIn(mail)
  for (const secret of [token ?? '', code]) on.secrets.add(secret)
  const typing = await on.visitor().get(`${route}?step=code`)
  const wrong = await visitor.post(route, { code: code === '000000' ? '000001' : '000000' })
  const proven = await visitor.post(route, { code })
  const opened = await visitor.get(`${route}?token=${token}`)
  const reset = await visitor.follow(opened)
  const refused = await visitor.post(route, { password: 'short', csrf: reset.field('csrf') })
  const changed = await visitor.post(route, { password: newPassword, csrf: reset.field('csrf') })
  const done = await visitor.follow(changed)
  const error = await visitor.get(`${route}?token=${token}`)
  const json = await visitor.json(route, { email: 'x' })
  return Object.entries({
    ...{ form, asked, sent, typing, wrong, proven, opened, reset, refused, changed, done, error },
    json,
  })
}

describe.each([
  ['http', () => site, null],
  ['https', () => secure, 'max-age=31536000'],
] as const)('under %s', (_, on, hsts) => {
  it('J4 every page is kept from caches, frames and other origins', async () => {
    for (const [name, page] of await everyPage(on())) {
      const header = (key: string) => page.headers.get(key)
      expect([name, header('cache-control')]).toEqual([name, 'no-store'])
      expect(header('referrer-policy')).toBe('no-referrer')
      expect(header('x-content-type-options')).toBe('nosniff')
      expect(header('x-frame-options')).toBe('DENY')
      expect(header('cross-origin-opener-policy')).toBe('same-origin')
      expect(header('strict-transport-security')).toBe(hsts)
      const policy = Object.fromEntries(
        (header('content-security-policy') ?? '')
          .split(';')
          .map((directive) => directive.trim().split(/ (.*)/)),
      )
      // What is not named here, such as object-src, falls back to default-src (CSP3 §6.8).
      expect(policy).toEqual({
        'default-src': "'none'",
        'style-src': "'self'",
        'script-src': "'self'",
        'img-src': "'self' data:",
        'form-action': "'self'",
        'base-uri': "'none'",
        'frame-ancestors': "'none'",
      })
    }
    await expectOrdinaryReset(on())
  })

  it('J6 the cookie is for this host, short-lived, and tells nothing', async () => {
    const pages = await everyPage(on())
    const cookies = pages.flatMap(([, page]) => page.headers.getSetCookie())
    const prefix = hsts === null ? '' : '__Host-'
    const isSecure = hsts === null ? '' : ' Secure;'
    const pattern = new RegExp(
      `^${prefix}forgot=[\\w-]+; Max-Age=3600; Path=/; HttpOnly;${isSecure} SameSite=Lax$`,
    )
    expect(cookies.length).toBeGreaterThanOrEqual(6)
    for (const cookie of cookies) {
      expect(cookie).toMatch(pattern)
      expect(cookie.length).toBeLessThanOrEqual(4096)
      const value = Buffer.from(/=([\w-]+)/.exec(cookie)?.[1] ?? '', 'base64url').toString('latin1')
      expect(value).not.toMatch(/site\.example|reset|locale/)
    }
    // Sealed anew each time: two are never the same.
    expect(new Set(cookies).size).toBe(cookies.length)
    expect(pages.find(([name]) => name === 'json')?.[1].headers.get('set-cookie')).toBeNull()
    await expectOrdinaryReset(on())
  })

  it('J6 the cookie of the longest address is no longer than browsers keep', async () => {
    const local = 'ż'.repeat(32)
    const domain = `${'d'.repeat(60)}.${'e'.repeat(60)}.${'f'.repeat(60)}.example`
    const email = `${local}@${domain.slice(-(254 - 65))}`
    const page = await on().visitor().post(route, { email, lang: 'th' })
    expect(page.status).toBe(303)
    expect((page.headers.get('set-cookie') ?? '').length).toBeLessThanOrEqual(4096)
  })
})

it('J6 the cookie is worth nothing an hour later, or when it is changed', async () => {
  const own = await Site.start()
  try {
    const visitor = own.visitor()
    const asked = await visitor.post(route, { email: newAccount(own).email })
    const cookie = /^[^;]+/.exec(asked.headers.get('set-cookie') ?? '')?.[0] ?? ''
    const see = async (text: string) =>
      (await own.visitor().get(`${route}?step=sent`, { cookie: text })).status
    expect(await see(cookie)).toBe(200)
    expect(await see(`${cookie.slice(0, -2)}AA`)).toBe(410)
    expect(await see(cookie.replace(/.$/, ''))).toBe(410)
    own.clock.move(minutes(61))
    expect(await see(cookie)).toBe(410)
    await expectOrdinaryReset(own)
  } finally {
    await own.stop()
  }
})

it('J8 reloading the page after a form does nothing a second time', async () => {
  const { email } = newAccount(site)
  const visitor = site.visitor()
  const asked = await visitor.post(route, { email })
  expect([asked.status, asked.headers.get('location')]).toEqual([303, `${route}?step=sent`])
  const reload = async (page: Page) => {
    for (const _ of [1, 2, 3]) expect((await visitor.follow(page)).status).toBe(200)
  }
  await unchanged(site, () => reload(asked))
  const link = linkIn((await site.smtp.to(email))[0])
  const reset = await visitor.follow(await visitor.get(link))
  const fields = { password: newPassword, csrf: reset.field('csrf') }
  const changed = await visitor.post(route, fields)
  expect([changed.status, changed.headers.get('location')]).toEqual([303, `${route}?step=done`])
  await unchanged(site, () => reload(changed))
  // The form itself, sent again, has nothing left to spend.
  await unchanged(site, () => visitor.post(route, fields))
  const mails = await site.smtp.to(email, 2)
  expect(mails).toHaveLength(2)
})

describe('on a shared computer', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser.close())

  it.each([true, false])(
    'J9 nothing is to be found after the reset, by going back or by opening pages again; scripts: %s',
    async (javaScriptEnabled) => {
      const { email } = newAccount(site)
      const context = await browser.newContext({ javaScriptEnabled })
      const page = await context.newPage()
      await page.goto(`${site.url}${route}`)
      await page.locator('#email').fill(email)
      await page.locator('main .button').click()
      await page.locator('[data-step=sent]').waitFor()
      const link = linkIn((await site.smtp.to(email))[0])
      site.secrets.add(new URL(link).searchParams.get('token') ?? '')
      await page.goto(link)
      await page.locator('#password').fill(newPassword)
      await page.locator('main .button').click()
      await page.locator('[data-step=done]').waitFor()

      const reason = () => page.locator('main').getAttribute('data-reason')
      const expectNothing = async () => {
        const filled = await page
          .locator('input:not([type=hidden])')
          .evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value))
        expect(filled.filter((value) => value !== '')).toEqual([])
        expect(await page.content()).not.toContain(email)
      }
      await expectNothing()
      await page.goBack()
      expect(await reason()).toBe('page-expired')
      await expectNothing()
      await page.goBack()
      expect(await reason()).toBe('page-expired')
      await expectNothing()
      await page.goto(`${site.url}${route}?step=reset`)
      expect(await reason()).toBe('page-expired')
      await expectNothing()
      await page.goto(link)
      expect(await reason()).toBe('link-used')
      await expectNothing()
      await context.close()
    },
  )
})

/** Sends a page's own form, as a browser does that runs no script. */
async function submit(visitor: Visitor, page: Page, typed: Record<string, string>): Promise<Page> {
  const forms = [...page.body.matchAll(/<form method="post" action="([^"]+)"[\s\S]*?<\/form>/g)]
  const [name = ''] = Object.keys(typed)
  const form = forms.find(([text]) => text.includes(`name="${name}"`))
  const hidden = [...(form?.[0] ?? '').matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)]
  const fields = hidden.map(([, key = '', value = '']) => [key, value])
  return visitor.follow(
    await visitor.post(form?.[1] ?? '', { ...Object.fromEntries(fields), ...typed }),
  )
}

it.each(['link', 'code'])('J10 the way with a %s needs no script', async (method) => {
  const { email } = newAccount(site)
  const visitor = site.visitor()
  const sent = await submit(visitor, await visitor.get(route), { email })
  const [mail] = await site.smtp.to(email)
  site.secrets.add(codeIn(mail))
  const reset =
    method === 'link'
      ? await visitor.follow(await visitor.get(linkIn(mail)))
      : await submit(visitor, sent, { code: codeIn(mail) })
  const done = await submit(visitor, reset, { password: newPassword })
  expect([sent.step, reset.step, done.step]).toEqual(['sent', 'reset', 'done'])
  expect(site.hasPassword(email, newPassword)).toBe(true)
})

it('J10 a browser without cookies is told so, and not led round', async () => {
  const { email } = newAccount(site)
  // Each request is that of a browser that knows nothing of the one before.
  const asked = await site.visitor().post(route, { email })
  const opened = await site.visitor().get(linkIn((await site.smtp.to(email))[0]))
  for (const page of [asked, opened]) {
    const shown = await site.visitor().follow(page)
    expect([shown.status, shown.step, shown.reason]).toEqual([410, 'error', 'page-expired'])
    expect(shown.body).toContain('your browser may be set to refuse cookies')
  }
  const token = await mailedToken(site, email)
  const page = await site.visitor().post(route, { token, password: newPassword })
  expect(page.status).toBe(303)
  expect((await site.visitor().follow(page)).step).toBe('done')
})

describe('sessions', () => {
  it.each(formats)('J13 those of the account end, and of nobody else, by $name', async (format) => {
    const [email, other] = [newAccount(site).email, newAccount(site).email]
    const insert = site.database.prepare(
      'insert into logins select ?, member_no from members where mail = ?',
    )
    for (const each of ['telephone', 'laptop', 'library', 'remembered', 'token of a program']) {
      for (const owner of [email, other]) insert.run(`${each} of ${owner}`, owner)
    }
    const token = await mailedToken(site, email)
    const fields = { token, password: newPassword }
    expect((await format.post(site.visitor(), fields)).status).toBe(format.changed)
    const count = site.database.prepare(
      "select count(*) as count from logins where token like '% of ' || ?",
    )
    expect([count.get(email), count.get(other)]).toEqual([{ count: 0 }, { count: 5 }])
  })

  it('J13 those of three devices are refused after the reset', async () => {
    const demo = await Demo.start(4)
    try {
      const [alice, chloe] = ['alice@demo.example', 'chloe@demo.example']
      const devices = [demo.visitor(), demo.visitor(), demo.visitor()]
      const friend = demo.visitor()
      expect(await demo.signIn(friend, chloe)).toBe(true)
      for (const device of devices) {
        expect(await demo.signIn(device, alice)).toBe(true)
        expect(await demo.isSignedIn(device)).toBe(true)
      }
      const changed = await demo.setPassword(await demo.mailedToken(alice))
      expect(changed.status).toBe(303)
      for (const device of devices) {
        expect(await demo.isSignedIn(device)).toBe(false)
        expect(await demo.signIn(device, alice)).toBe(false)
        expect(await demo.signIn(device, alice, newPassword)).toBe(true)
      }
      expect(await demo.isSignedIn(friend)).toBe(true)
      await demo.expectOrdinaryReset()
    } finally {
      await demo.stop()
    }
  })
})
