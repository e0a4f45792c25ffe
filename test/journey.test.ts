import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hours, minutes, seconds } from './support/clock.ts'
import { accounts, newPassword, oldPassword, route, Site, secret } from './support/site.ts'
import { linkIn } from './support/smtp.ts'
import type { Page } from './support/visitor.ts'

const { alice, bob, mallory } = accounts

let site: Site
beforeEach(async () => {
  site = await Site.start()
})
afterEach(() => site.stop())

it('goes from the form to the mail, to the link, to a new password', async () => {
  const visitor = site.visitor()
  const form = await visitor.get(route)
  expect([form.status, form.step]).toEqual([200, 'form'])

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

  const changed = await visitor.post(route, { password: newPassword, csrf: reset.field('csrf') })
  expect([changed.status, changed.headers.get('location')]).toEqual([303, `${route}?step=done`])
  const done = await visitor.follow(changed)
  expect([done.status, done.step]).toEqual([200, 'done'])

  expect(site.hasPassword(alice.email, newPassword)).toBe(true)
  expect(site.hasPassword(alice.email, oldPassword)).toBe(false)
  const mails = await site.smtp.to(alice.email, 2)
  expect(mails[1]?.mail.subject).toContain('was changed')
})

it('ends the sessions of the account and of nobody else', async () => {
  const insert = site.database.prepare('insert into logins values (?, ?)')
  for (const [token, member] of [
    ['a', 1],
    ['b', 1],
    ['c', 2],
  ])
    insert.run(token, member)
  await site.reset(await site.mailedLink(alice.email))
  expect(site.database.prepare('select token from logins').all()).toEqual([{ token: 'c' }])
})

it('mails the stored spelling of an address, in the language of the account', async () => {
  await site.visitor().post(route, { email: 'bOB@site.EXAMPLE', lang: 'en' })
  const [mail] = await site.smtp.to(bob.email)
  expect(mail?.mail.subject).toContain('Réinitialisez')
})

describe('any address', () => {
  const mask = (page: Page, email: string) =>
    page.body.replaceAll(email, '<email>').replaceAll(page.reference || '-', '<reference>')

  it.each([
    ['unknown', 'nobody@site.example'],
    ['disabled', mallory.email],
  ])('that is %s gets the answer of a known one', async (_, email) => {
    const answers = await Promise.all(
      [alice.email, email].map(async (each) => {
        const visitor = site.visitor()
        const asked = await visitor.post(route, { email: each })
        const sent = await visitor.follow(asked)
        const again = await visitor.follow(await visitor.post(route, { resend: '1' }))
        const shape = (page: Page) => [
          page.status,
          // The sealed cookie differs each time; its length must tell no more than the address does.
          [...page.headers].map(([name, value]) =>
            name === 'set-cookie'
              ? value.replace(/=[^;]+/, '')
              : name === 'date'
                ? name
                : `${name}: ${value}`,
          ),
          mask(page, each),
        ]
        return [asked, sent, again].map(shape).map(([status, headers, body]) => ({
          status,
          headers: (headers as string[]).filter((line) => !line.startsWith('content-length')),
          body,
        }))
      }),
    )
    expect(answers[1]).toEqual(answers[0])
    await site.smtp.to(alice.email, 2)
    expect(site.smtp.mails.every((mail) => mail.recipients[0] === alice.email)).toBe(true)
  })

  it('looks the same however often and however it is spelt, and whatever became of the link', async () => {
    const seen = async (name: string, use: boolean) => {
      const visitor = site.visitor()
      const references: string[] = []
      const ask = async (email: string) => {
        const page = await visitor.follow(await visitor.post(route, { email }))
        references.push(page.reference)
      }
      await ask(`${name}@site.example`)
      await ask(`${name.toUpperCase()}@site.example`)
      if (use) await site.reset(linkIn((await site.smtp.to(alice.email))[0]))
      await ask(`${name}@site.example`)
      site.clock.move(minutes(31))
      await ask(`${name}@site.example`)
      await ask(`${name.toUpperCase()}@site.example`)
      return references.map((reference) => references.indexOf(reference))
    }
    const expected = [0, 0, 0, 3, 3]
    expect(await seen('nobody', false)).toEqual(expected)
    expect(await seen('alice', true)).toEqual(expected)
  })

  it('that two accounts share but for its case gets a link to the one that spells it so', async () => {
    const insert = site.database.prepare('insert into members (mail, pw_hash) values (?, ?)')
    insert.run('bob@site.example', 'their old hash')
    const one = await site.mailedLink('Bob@site.example')
    const other = await site.mailedLink('bob@site.example')
    expect(other).not.toBe(one)
    // One recovery at a time for an address, whose accounts count as one.
    expect((await site.visitor().get(one)).reason).toBe('link-replaced')
    await site.reset(other)
    expect(site.hasPassword('bob@site.example', newPassword)).toBe(true)
    expect(site.hasPassword('Bob@site.example', oldPassword)).toBe(true)
    await site.visitor().post(route, { email: 'BOB@site.example' })
    await site.mailedLink(alice.email)
    expect(site.smtp.mails.filter((mail) => mail.recipients[0] === 'BOB@site.example')).toEqual([])
  })

  it('that is no address is asked for again, with what was typed', async () => {
    const empty = await site.visitor().post(route, { email: ' ' })
    expect([empty.status, empty.step, empty.reason]).toEqual([400, 'form', 'email-missing'])
    const wrong = await site.visitor().post(route, { email: '"><b>x' })
    expect([wrong.status, wrong.step, wrong.reason]).toEqual([400, 'form', 'email-invalid'])
    expect(wrong.body).toContain('value="&quot;&gt;&lt;b&gt;x"')
    const both = await site.visitor().post(route, `email=${alice.email}&email=evil@evil.example`)
    expect([both.status, both.reason]).toEqual([400, 'email-missing'])
    expect(site.rows('select * from mail_job')).toEqual([])
  })
})

describe('a link', () => {
  it('survives every scanner: ten GETs, HEADs and a prefetch', async () => {
    const link = await site.mailedLink(alice.email)
    for (let index = 0; index < 10; index += 1) {
      expect((await site.visitor().get(link, { 'user-agent': 'SafeLinks' })).status).toBe(303)
    }
    for (let index = 0; index < 3; index += 1)
      expect((await site.visitor().head(link)).status).toBe(303)
    await site.visitor().get(link, { 'sec-purpose': 'prefetch' })
    expect((await site.reset(link)).status).toBe(303)
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
  })

  it('survives a refused password, and the fields come back empty', async () => {
    const visitor = site.visitor()
    const form = await visitor.follow(await visitor.get(await site.mailedLink(alice.email)))
    const refused = await visitor.post(route, { password: 'too short', csrf: form.field('csrf') })
    expect([refused.status, refused.step, refused.reason]).toEqual([
      400,
      'reset',
      'password-too-short',
    ])
    expect(refused.body).not.toContain('too short')
    const taken = await visitor.post(route, { password: newPassword, csrf: refused.field('csrf') })
    expect(taken.status).toBe(303)
  })

  it('is the same in every mail of the first half of its life, with the same reference', async () => {
    const visitor = site.visitor()
    const link = await site.mailedLink(alice.email, visitor)
    const reference = (await visitor.get(`${route}?step=sent`)).reference
    site.clock.move(minutes(29))
    expect(await site.mailedLink(alice.email, visitor)).toBe(link)
    expect((await visitor.get(`${route}?step=sent`)).reference).toBe(reference)
  })

  it('is replaced by a later one, and says so', async () => {
    const link = await site.mailedLink(alice.email)
    site.clock.move(minutes(31))
    const later = await site.mailedLink(alice.email)
    expect(later).not.toBe(link)
    const page = await site.visitor().get(link)
    expect([page.status, page.reason]).toEqual([410, 'link-replaced'])
    expect((await site.reset(later)).status).toBe(303)
  })

  it('works once', async () => {
    const link = await site.mailedLink(alice.email)
    const visitor = site.visitor()
    await site.reset(link, newPassword, visitor)
    const page = await visitor.get(link)
    expect([page.status, page.reason]).toEqual([410, 'link-used'])
    const token = new URL(link).searchParams.get('token') ?? ''
    const again = await site.visitor().post(route, { token, password: 'yet another passphrase' })
    expect([again.status, again.reason]).toEqual([410, 'link-used'])
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
  })

  it('works until its last millisecond, on the page and in the form', async () => {
    const link = await site.mailedLink(alice.email)
    const visitor = site.visitor()
    const form = await visitor.follow(await visitor.get(link))
    site.clock.move(hours(1) - seconds(1))
    expect((await site.visitor().get(link)).status).toBe(303)
    site.clock.move(seconds(1))
    const page = await site.visitor().get(link)
    expect([page.status, page.reason]).toEqual([410, 'link-expired'])
    const late = await visitor.post(route, { password: newPassword, csrf: form.field('csrf') })
    expect([late.status, late.reason]).toEqual([410, 'link-expired'])
    site.clock.move(-minutes(30))
    expect((await site.visitor().get(link)).reason).toBe('link-expired')
    expect(site.hasPassword(alice.email, oldPassword)).toBe(true)
  })

  it('that has expired is one click from a new one', async () => {
    const link = await site.mailedLink(alice.email)
    site.clock.move(hours(2))
    const visitor = site.visitor()
    expect((await visitor.get(link)).body).toContain('name="resend"')
    const asked = await visitor.post(route, { resend: '1' })
    expect((await visitor.follow(asked)).step).toBe('sent')
    expect(linkIn((await site.smtp.to(alice.email, 2))[1])).not.toBe(link)
  })

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

  it.each([
    ['password', "update members set pw_hash = 'theirs' where member_no = 1"],
    ['address', "update members set mail = 'alice@new.example' where member_no = 1"],
    ['state', 'update members set active = 0 where member_no = 1'],
    ['existence', 'delete from members where member_no = 1'],
  ])('dies with a change of the account’s %s', async (_, change) => {
    const link = await site.mailedLink(alice.email)
    const visitor = site.visitor()
    const form = await visitor.follow(await visitor.get(link))
    site.database.exec(change)
    expect((await site.visitor().get(link)).reason).toBe('link-invalid')
    const late = await visitor.post(route, { password: newPassword, csrf: form.field('csrf') })
    expect([late.status, late.reason]).toEqual([404, 'link-invalid'])
  })

  it('is mailed anew when the account has changed since it was mailed', async () => {
    const link = await site.mailedLink(alice.email)
    site.database.exec("update members set pw_hash = 'theirs' where member_no = 1")
    const later = await site.mailedLink(alice.email)
    expect(later).not.toBe(link)
    expect((await site.visitor().get(link)).reason).toBe('link-replaced')
    expect((await site.visitor().get(later)).status).toBe(303)
  })

  it('gives one answer to everything that is no token', async () => {
    const token = new URL(await site.mailedLink(alice.email)).searchParams.get('token') ?? ''
    const flipped = token.replace(/[a-z]/, (letter) => letter.toUpperCase())
    for (const near of [
      '',
      'x',
      token.slice(1),
      `${token}A`,
      flipped,
      `${token}=`,
      `${token}.`,
      'A'.repeat(43),
    ]) {
      const page = await site.visitor().get(`${route}?token=${near}`)
      expect([page.status, page.reason]).toEqual([404, 'link-invalid'])
      if (near.length > 1) expect(page.body).not.toContain(near)
    }
  })

  it('changes the account it names, whatever else the form says', async () => {
    const token = new URL(await site.mailedLink(alice.email)).searchParams.get('token') ?? ''
    const fields = { token, password: newPassword, email: bob.email, username: bob.email, id: '2' }
    expect((await site.visitor().post(route, fields)).status).toBe(303)
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
    expect(site.hasPassword(bob.email, oldPassword)).toBe(true)
  })

  it('never changes a password on GET', async () => {
    const link = await site.mailedLink(alice.email)
    await site.visitor().get(`${link}&password=${encodeURIComponent(newPassword)}`)
    expect(site.hasPassword(alice.email, oldPassword)).toBe(true)
  })
})

describe('twenty resets at once with one link', () => {
  it('change the password once, and it is the winner’s', async () => {
    const link = await site.mailedLink(alice.email)
    const visitors = Array.from({ length: 20 }, () => site.visitor())
    const forms = await Promise.all(visitors.map(async (each) => each.follow(await each.get(link))))
    const answers = await Promise.all(
      visitors.map((each, index) =>
        each.post(route, {
          password: `${newPassword} ${index}`,
          csrf: forms[index]?.field('csrf') ?? '',
        }),
      ),
    )
    const winners = answers.flatMap((answer, index) => (answer.status === 303 ? [index] : []))
    expect(winners).toHaveLength(1)
    expect(site.hasPassword(alice.email, `${newPassword} ${winners[0]}`)).toBe(true)
    for (const answer of answers.filter((each) => each.status !== 303)) {
      expect(['link-used', 'link-invalid']).toContain(answer.reason)
    }
    await site.smtp.to(alice.email, 2)
    expect(site.rows("select * from mail_job where kind = 'changed'")).toHaveLength(1)
  })
})

describe('the reset form', () => {
  it('cannot be reached or sent with the request alone', async () => {
    const visitor = site.visitor()
    await visitor.post(route, { email: alice.email })
    const page = await visitor.get(`${route}?step=reset`)
    expect([page.status, page.reason]).toEqual([410, 'page-expired'])
    const sent = await visitor.post(route, { password: newPassword })
    expect([sent.status, sent.reason]).toEqual([410, 'page-expired'])
  })

  it('needs the token of its own flow, and shows the account again', async () => {
    const [visitor, other] = [site.visitor(), site.visitor()]
    await visitor.follow(await visitor.get(await site.mailedLink(alice.email)))
    const foreign = await other.follow(await other.get(await site.mailedLink(bob.email)))
    for (const csrf of ['', 'x', foreign.field('csrf')]) {
      const page = await visitor.post(route, { password: newPassword, csrf })
      expect([page.status, page.step, page.reason]).toEqual([403, 'reset', 'page-outdated'])
      expect(page.field('username')).toBe(alice.email)
    }
    expect(site.hasPassword(alice.email, oldPassword)).toBe(true)
  })

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

  it('leaves nothing behind in the browser', async () => {
    const visitor = site.visitor()
    await site.reset(await site.mailedLink(alice.email), newPassword, visitor)
    expect((await visitor.get(`${route}?step=reset`)).reason).toBe('page-expired')
    const sent = await visitor.get(`${route}?step=sent`)
    expect([sent.status, sent.reason]).toEqual([410, 'page-expired'])
    expect(sent.body).not.toContain(alice.email)
  })
})

describe('a form from another site', () => {
  it.each([
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ 'sec-fetch-site': 'none' }],
    [{ 'sec-fetch-site': '', origin: 'https://evil.example' }],
    [{ 'sec-fetch-site': '', origin: 'null' }],
  ])('is refused: %j', async (headers) => {
    const page = await site.visitor().post(route, { email: alice.email }, headers)
    expect([page.status, page.reason]).toEqual([403, 'cross-site'])
    expect(site.rows('select * from mail_job')).toEqual([])
  })

  it('is not what a program sends, nor an older browser from our own page', async () => {
    const visitor = site.visitor()
    delete visitor.headers['sec-fetch-site']
    expect((await visitor.post(route, { email: alice.email })).status).toBe(303)
    expect((await visitor.post(route, { email: alice.email }, { origin: site.url })).status).toBe(
      303,
    )
  })
})

describe('the host a request claims', () => {
  it.each([
    [{ host: 'evil.example' }],
    [{ 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }],
    [
      {
        forwarded: 'host=evil.example',
        'x-original-url': 'https://evil.example/',
        referer: 'https://evil.example',
      },
    ],
  ])('is in no mail: %j', async (headers) => {
    await site
      .visitor()
      .post(route, { email: alice.email, redirectTo: 'https://evil.example/' }, headers)
    const [mail] = await site.smtp.to(alice.email)
    expect(linkIn(mail)).toMatch(new RegExp(`^${site.url}${route}\\?token=`))
    expect(mail?.raw).not.toContain('evil')
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

  it.each(['../../../etc/passwd', 'en%00', '__proto__', 'constructor', 'x'.repeat(9000)])(
    'are not %.20s',
    async (lang) => {
      const page = await site.visitor().get(`${route}?lang=${lang}`)
      expect([page.status, page.headers.get('content-language')]).toEqual([200, 'en'])
    },
  )
})
