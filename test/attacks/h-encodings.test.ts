import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { compareSync } from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lists, newPassword, oldPassword, route, Site } from '../support/site.ts'
import type { Visitor } from '../support/visitor.ts'
import { bytesOf, raw, statusOf } from './raw.ts'
import {
  endWithOrdinaryReset,
  expectOrdinaryReset,
  formats,
  mailedToken,
  newAccount,
  unchanged,
} from './support.ts'

let site: Site
/** With a hash that reads every byte of a password. */
let wide: Site
let client: Visitor
beforeAll(async () => {
  site = await Site.start()
  wide = await Site.start({ password: { hash: 'argon2id' } })
  client = site.visitor()
})
afterAll(async () => {
  await site.stop()
  await wide.stop()
})
endWithOrdinaryReset(() => site)

const formType = 'application/x-www-form-urlencoded'

describe('broken percent-encoding', () => {
  it('H1 is refused in a form, and not shown again', async () => {
    const bodies = [
      'email=%zz',
      'email=%',
      'a%',
      'password=%&token=x',
      'email=a%E9b',
      'email=%C0%AE',
    ]
    await unchanged(site, async () => {
      for (const body of [...bodies, 'password=caf%E9%20and%20more&token=x']) {
        const page = await client.post(route, body)
        expect([body, page.status, page.reason]).toEqual([body, 400, 'bad-request'])
        expect(page.body).not.toContain('%')
      }
    })
  })

  it('H1 leaves the token of a form as it was', async () => {
    const { email } = newAccount(site)
    const token = await mailedToken(site, email)
    const body = `token=${token}&password=a%20brand%20new%20passphrase%`
    const page = await unchanged(site, () => client.post(route, body))
    expect([page.status, page.reason]).toEqual([400, 'bad-request'])
    expect((await client.post(route, { token, password: newPassword })).status).toBe(303)
  })

  it('H1 has its like in JSON, which is refused', async () => {
    const broken = ['{"email":"\\u12"}', '{"email":"\\uZZZZ"}', '{"email":"\\x41"}']
    await unchanged(site, async () => {
      for (const body of [...broken, '{"email":"a\nb"}']) {
        const page = await client.json(route, body)
        expect([body, page.status, page.json['reason']]).toEqual([body, 400, 'bad-request'])
      }
    })
  })

  it.each([
    ['path', [`${route}/%zz`, '/user/%zz', '/%C0%AE%C0%AE/', `${route}%`]],
    [
      'query',
      ['?email=%zz', '?token=%zz', '?lang=%', '?step=%E0%A4%A', '?%'].map((at) => route + at),
    ],
  ])('H1 is refused in a %s, in both formats', async (_, paths) => {
    await unchanged(site, async () => {
      for (const path of paths) {
        for (const accept of ['text/html', 'application/json']) {
          const answer = await raw(site, bytesOf({ path, headers: { Accept: accept } }))
          expect(answer).not.toMatch(/%zz|%E0|%C0|FST_/)
          expect([path, accept, statusOf(answer)]).toEqual([path, accept, 400])
          expect(answer).toContain(`content-type: ${accept}; charset=utf-8`)
        }
      }
    })
  })
})

describe.each(formats)('by $name', ({ post, changed, reason }) => {
  /** Sets a password with a link of its own; the answer, and whose it was. */
  const reset = async (password: string, on = site) => {
    const { email } = newAccount(on)
    const token = await mailedToken(on, email)
    const page = await post(on.visitor(), { token, password })
    return { email, token, page }
  }

  it('H4 a NUL is refused, and no shorter password is set', async () => {
    for (const password of ['a brand new\0 passphrase', `${newPassword}\0`, `\0${newPassword}`]) {
      const { email, token, page } = await reset(password)
      expect([password, page.status, reason(page)]).toEqual([password, 400, 'password-characters'])
      for (const part of ['', ...password.split('\0')])
        expect(site.hasPassword(email, part)).toBe(false)
      expect(site.hasPassword(email, oldPassword)).toBe(true)
      const again = await post(client, { token, password: newPassword })
      expect(again.status).toBe(changed)
    }
  })

  it('H5 a password signs in however its accents are typed, at the reset or at the login', async () => {
    const password = 'un été à la façade – 한국어'
    for (const sent of ['NFC', 'NFD']) {
      const { email, page } = await reset(password.normalize(sent))
      expect([sent, page.status]).toEqual([sent, changed])
      for (const typed of ['NFC', 'NFD'])
        expect([typed, site.hasPassword(email, password.normalize(typed))]).toEqual([typed, true])
      expect(site.hasPassword(email, 'un ete a la facade – 한국어')).toBe(false)
      // What stands in the table is the hash of the composed form alone.
      expect(compareSync(password.normalize('NFC'), site.hashOf(email))).toBe(true)
      expect(compareSync(password.normalize('NFD'), site.hashOf(email))).toBe(false)
    }
  })

  it('H8 a password without measure is refused, and nothing is hashed for it', async () => {
    const threads: unknown[] = []
    const onThread = (message: unknown) => threads.push(message)
    // Of a server that has hashed nothing yet: the threads that do it start when they are needed.
    const own = await Site.start({ password: lists })
    const { email } = newAccount(own)
    const token = await mailedToken(own, email)
    subscribe('worker_threads', onThread)
    try {
      for (const [length, status, why] of [
        [129, 400, 'password-too-long'],
        [10_000, 400, 'password-too-long'],
        [1_048_576, 413, 'too-large'],
      ] as const) {
        const send = () => post(own.visitor(), { token, password: 'x'.repeat(length) })
        const page = await unchanged(own, send)
        expect([page.status, reason(page)]).toEqual([status, why])
      }
      expect(threads).toEqual([])
      await expectOrdinaryReset(own)
      expect(threads).not.toEqual([])
    } finally {
      unsubscribe('worker_threads', onThread)
      await own.stop()
    }
  })

  it('H10 emoji and letters of four bytes count as people count them', async () => {
    for (const [password, isTaken] of [
      ['🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧🐦🐤🦉', true],
      ['🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧🐦🐤', false],
      ['🦊🐻🐼🐨🐯🦁🐮🐷'.repeat(7).concat('🐸🐵🐔🐧🐦🐤🦉🐺'), true],
    ] as const) {
      const { email, page } = await reset(password, wide)
      expect([password, page.status]).toEqual([password, isTaken ? changed : 400])
      if (!isTaken) expect(reason(page)).toBe('password-too-short')
      expect(wide.hasPassword(email, password)).toBe(isTaken)
    }
    await expectOrdinaryReset(wide)
  })
})

describe('the label of a charset', () => {
  const password = 'une phrase secrète à retenir'

  it.each([formType, 'application/json'])(
    'H12 changes nothing about what is UTF-8: %s',
    async (type) => {
      for (const label of [
        '',
        '; charset=iso-8859-1',
        '; charset=windows-1252',
        '; charset=utf-8',
      ]) {
        const { email } = newAccount(site)
        const fields = { token: await mailedToken(site, email), password }
        const body = type === formType ? new URLSearchParams(fields) : JSON.stringify(fields)
        const page = await client.post(route, String(body), { 'content-type': `${type}${label}` })
        expect([label, page.status]).toEqual([label, type === formType ? 303 : 200])
        expect(site.hasPassword(email, password)).toBe(true)
      }
    },
  )

  const latin = [
    ['a form', formType, (token: string) => `token=${token}&password=${password}`],
    ['JSON', 'application/json', (token: string) => JSON.stringify({ token, password })],
  ] as const

  it.each(latin)('H12 never mangles the letters of %s that is Latin-1', async (_, type, bodyOf) => {
    const { email } = newAccount(site)
    const token = await mailedToken(site, email)
    for (const label of ['', '; charset=iso-8859-1']) {
      const request = {
        method: 'POST',
        path: route,
        headers: { 'Content-Type': `${type}${label}` },
        body: Buffer.from(bodyOf(token), 'latin1'),
      }
      expect([400, 415]).toContain(statusOf(await raw(site, bytesOf(request))))
    }
    expect(site.hasPassword(email, oldPassword)).toBe(true)
  })

  it('H12 is as little a byte order mark a part of the text', async () => {
    const { email } = newAccount(site)
    const token = await mailedToken(site, email)
    const page = await client.json(route, `\ufeff${JSON.stringify({ token, password })}`)
    expect(page.status).toBe(200)
    expect(site.hasPassword(email, password)).toBe(true)
  })
})
