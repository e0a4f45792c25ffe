import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { minutes } from './support/clock.ts'
import { accounts, newPassword, oldPassword, route, Site } from './support/site.ts'
import { codeIn, linkIn } from './support/smtp.ts'
import type { Visitor } from './support/visitor.ts'

const { alice } = accounts

let site: Site
let client: Visitor
beforeEach(async () => {
  site = await Site.start({ recovery: { methods: ['link', 'code'] } })
  client = site.visitor()
})
afterEach(() => site.stop())

const post = (body: unknown, headers: Record<string, string> = {}) =>
  client.json(route, body, { headers })

async function ask(email: string = alice.email) {
  const page = await post({ email })
  const [mail] = await site.smtp.to(email)
  const code = codeIn(mail)
  const token = new URL(linkIn(mail)).searchParams.get('token') ?? ''
  for (const secret of [code, token, newPassword]) site.secrets.add(secret)
  const { reference } = page.json['data'] as { reference: string }
  return { page, code, token, reference }
}

describe('a program', () => {
  it('asks, and is told the reference and the end', async () => {
    const { page, reference } = await ask()
    expect(page.status).toBe(202)
    expect(page.json).toEqual({
      success: true,
      step: 'sent',
      message: expect.stringContaining(`If ${alice.email} has an account at Riverside`),
      data: {
        reference: expect.stringMatching(/^[A-Z][2-9A-Z]{3}-[2-9A-Z]{4}$/),
        expiresAt: new Date(site.clock.now() + minutes(60)).toISOString(),
        expiresInMinutes: 60,
      },
    })
    expect(page.headers.get('set-cookie')).toBeNull()
    expect(page.headers.get('cache-control')).toBe('no-store')
    expect(page.headers.get('access-control-allow-origin')).toBeNull()
    const [mail] = await site.smtp.to(alice.email)
    expect(mail?.mail.subject).toContain(reference)
  })

  it('is told the end of the code when it asks for that', async () => {
    const { json } = await post({ email: alice.email, method: 'code' })
    expect(json['data']).toMatchObject({ expiresInMinutes: 10 })
  })

  it.each(['reference', 'email'])(
    'verifies a code by its %s, and changes the password with the token',
    async (by) => {
      const { code, token, reference } = await ask()
      const known = by === 'reference' ? { reference } : { email: alice.email }
      const verified = await post({ ...known, code })
      expect(verified.status).toBe(200)
      expect(verified.json).toEqual({
        success: true,
        step: 'reset',
        message: 'Choose a new password',
        data: { token, expiresAt: new Date(site.clock.now() + minutes(60)).toISOString() },
      })
      const changed = await post({ token, password: newPassword })
      expect([changed.status, changed.json]).toEqual([
        200,
        { success: true, step: 'done', message: 'Your password has been changed', data: {} },
      ])
      expect(site.hasPassword(alice.email, newPassword)).toBe(true)
    },
  )

  it('verifies and changes in one call', async () => {
    const { code, reference } = await ask()
    const refused = await post({ reference, code, password: 'short' })
    expect(refused.json['reason']).toBe('password-too-short')
    const changed = await post({ reference, email: alice.email, code, password: newPassword })
    expect(changed.status).toBe(200)
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
  })

  it('looks whether a link is good', async () => {
    const { token } = await ask()
    const open = await client.json(`${route}?token=${token}`, null, { method: 'GET' })
    expect([open.status, open.json['step']]).toEqual([200, 'reset'])
    expect(open.headers.get('set-cookie')).toBeNull()
    await post({ token, password: newPassword })
    const again = await client.json(`${route}?token=${token}`, null, { method: 'GET' })
    expect([again.status, again.json['reason']]).toEqual([410, 'link-used'])
  })

  it('is answered in the language it accepts or names', async () => {
    const french = await post({ email: 'x' }, { 'accept-language': 'fr' })
    expect(french.headers.get('content-language')).toBe('fr')
    const thai = await post({ email: 'x', lang: 'th' }, { 'accept-language': 'fr' })
    expect(thai.headers.get('content-language')).toBe('th')
    expect(thai.json['message']).not.toBe(french.json['message'])
    expect(thai.json['reason']).toBe(french.json['reason'])
  })

  it('is told what is wrong, field by field', async () => {
    const page = await post({ email: 'no address' })
    expect(page.status).toBe(400)
    const message = 'Enter an email address in the correct format, like name@example.com.'
    expect(page.json).toEqual({
      success: false,
      step: 'form',
      reason: 'email-invalid',
      message,
      fields: [{ field: 'email', reason: 'email-invalid', message }],
    })
  })

  it('rides on nobody’s cookie, and brings none', async () => {
    const browser = site.visitor()
    await ask()
    const [mail] = await site.smtp.to(alice.email)
    await browser.follow(await browser.get(linkIn(mail)))
    const page = await browser.post(
      route,
      { password: newPassword },
      { accept: 'application/json' },
    )
    expect([page.status, page.json['reason']]).toEqual([410, 'page-expired'])
    expect(site.hasPassword(alice.email, oldPassword)).toBe(true)
  })
})

describe('the format', () => {
  it.each([
    ['application/json', 'json'],
    ['application/json, text/plain, */*', 'json'],
    ['text/html;q=0.5, application/json', 'json'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'html'],
    ['application/json;q=0.1, text/html', 'html'],
    ['*/*', 'html'],
    ['', 'html'],
  ])('for Accept: %s is %s', async (accept, format) => {
    for (const path of [route, `${route}?step=reset`, '/nowhere']) {
      const page = await site.visitor().get(path, { accept })
      expect(page.headers.get('content-type')).toBe(
        format === 'json' ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8',
      )
    }
  })

  it('of an answer is that of the body, whatever else is accepted', async () => {
    const page = await post({ email: alice.email }, { accept: '*/*' })
    expect(page.json['success']).toBe(true)
  })
})

describe('a body', () => {
  it('is refused when a key stands twice in it, at whatever depth', async () => {
    const page = await client.json(route, '{"email":"alice@site.example","x":{"a":1,"a":2}}')
    expect([page.status, page.json['reason']]).toEqual([400, 'bad-request'])
    expect(await site.rows('select * from mail_job')).toEqual([])
  })

  it('may name things inside of texts twice', async () => {
    const page = await post({ email: alice.email, note: '{"email":"a","email":"b"} "x": 1' })
    expect(page.status).toBe(202)
  })
})

it('takes no longer to read a body that is made to take long', async () => {
  // What grew with the square of its length took a second and more at this size.
  const quotes = '\\"'.repeat(8000)
  const bodies = [`{"email":"${quotes}"}`, `{"a":[${'"x",'.repeat(4000)}":y"]}`]
  for (const body of bodies) {
    const { parseJson } = await import('../src/body.ts')
    const started = process.cpuUsage().user
    expect(parseJson(Buffer.from(body))).toBeTypeOf('object')
    expect(process.cpuUsage().user - started).toBeLessThan(1_000_000)
  }
})
