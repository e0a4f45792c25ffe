import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newPassword, route, Site } from '../support/site.ts'
import type { Visitor } from '../support/visitor.ts'
import { bytesOf, endlessly, raw, statusOf } from './raw.ts'
import {
  endWithOrdinaryReset,
  form,
  formats,
  json,
  mailedToken,
  newAccount,
  newAddress,
  unchanged,
} from './support.ts'

let site: Site
let client: Visitor
beforeAll(async () => {
  site = await Site.start({ recovery: { methods: ['link', 'code'] } })
  client = site.visitor()
})
afterAll(() => site.stop())
endWithOrdinaryReset(() => site)

const formType = 'application/x-www-form-urlencoded'

it('G1 refuses what is no JSON object', async () => {
  const bodies = ['null', 'true', '123', '"alice@site.example"', '[]', '["alice@site.example"]']
  await unchanged(site, async () => {
    for (const body of [...bodies, '', ' ', '{', "{'email':'alice@site.example'}"]) {
      const page = await client.json(route, body)
      expect([body, page.status, page.json['reason']]).toEqual([body, 400, 'bad-request'])
    }
  })
})

it('G1 takes an empty form for one without an address', async () => {
  const page = await unchanged(site, () => client.post(route, ''))
  expect([page.status, page.step, page.reason]).toEqual([400, 'form', 'email-missing'])
})

const unpolluted = () => expect(({} as { polluted?: number }).polluted).toBeUndefined()

it('G2 refuses JSON that names a prototype, and the next request is as ever', async () => {
  for (const body of [
    '{"__proto__":{"polluted":1},"email":"alice@site.example"}',
    '{"__pr\\u006fto__":{"polluted":1},"email":"alice@site.example"}',
    '{"__proto__":null,"email":"alice@site.example"}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"constructor":{"prototype":{"polluted":1}},"email":"alice@site.example"}',
  ]) {
    const page = await unchanged(site, () => client.json(route, body))
    expect([body, page.status, page.json['reason']]).toEqual([body, 400, 'bad-request'])
    unpolluted()
    expect((await client.json(route, { email: newAddress() })).status).toBe(202)
  }
})

it('G2 reads nothing in a form that names a prototype', async () => {
  await unchanged(site, async () => {
    for (const body of [
      '__proto__[polluted]=1&__proto__.polluted=1',
      '__proto__=polluted&constructor=polluted&toString=polluted',
    ]) {
      const page = await client.post(route, body)
      expect([body, page.status, page.reason]).toEqual([body, 400, 'email-missing'])
      unpolluted()
    }
  })
})

it.each([
  [
    'JSON',
    ['null', '{"email":["alice@site.example"]}', '{"__proto__":{"a":1},"email":"a@site.example"}'],
    [
      'application/json\t; a',
      'application/json\t',
      ' application/json',
      'APPLICATION/JSON',
      'application/json;',
      'application/json; charset=utf-16',
      'application/json garbage',
      'application/json, text/plain',
      'application/jsonx',
      'application/x-json',
      'text/plain',
    ],
  ],
  [
    'a form',
    ['email=a@site.example&email=b@site.example', 'email=%zz', 'email='],
    [
      `${formType}\t; a`,
      ` ${formType}`,
      formType.toUpperCase(),
      `${formType}; charset=utf-16`,
      `${formType} garbage`,
      `${formType}x`,
      'application/x-www-form',
      'multipart/form-data; boundary=x',
      'text/plain',
    ],
  ],
])(
  'G4 lets nothing through unvalidated whose type is nearly that of %s',
  async (_, bodies, types) => {
    await unchanged(site, async () => {
      for (const type of types) {
        for (const body of bodies) {
          const page = await client.post(route, body, { 'content-type': type })
          const isRefused = page.status === 400 || page.status === 415
          expect([type, body, isRefused]).toEqual([type, body, true])
          expect(page.headers.get('content-type')).toMatch(
            /^(?:application\/json|text\/html); char/,
          )
          expect(page.headers.get('location')).toBeNull()
          expect(page.body).not.toContain('site.example')
        }
      }
    })
  },
)

it('G4 reads nothing in UTF-16', async () => {
  await unchanged(site, async () => {
    for (const [type, text] of [
      ['application/json; charset=utf-16', '{"email":"alice@site.example"}'],
      [`${formType}; charset=utf-16`, 'email=alice@site.example'],
    ] as const) {
      const request = { method: 'POST', path: route, headers: { 'Content-Type': type } }
      const body = Buffer.from(text, 'utf16le')
      expect([400, 415]).toContain(statusOf(await raw(site, bytesOf({ ...request, body }))))
    }
  })
})

describe.each(formats)('by $name', ({ post, changed, granted }) => {
  const assigned = {
    isAdmin: 'true',
    role: 'admin',
    userId: '2',
    member_no: '2',
    mfaEnabled: 'false',
    skipMfa: 'true',
    skipEmailVerification: 'true',
    verified: 'true',
    active: '0',
    mail: 'evil@evil.example',
    expiresAt: '4102444800000',
    expires_at: '4102444800000',
    passwordHash: 'evil',
    pw_hash: 'evil',
    state: 'live',
  }

  it('G7 assigns nothing that is not asked for', async () => {
    const own = await Site.start()
    try {
      for (const name of ['isAdmin', 'role', 'mfaEnabled', 'skipMfa', 'verified', 'passwordHash']) {
        own.database.exec(`alter table members add column ${name} text default 'as it was'`)
      }
      const { email } = newAccount(own)
      const members = () => own.database.prepare('select * from members order by member_no').all()
      const withoutHash = () =>
        members().map((row) => ({
          ...(row as object),
          pw_hash: own.hasPassword(email, newPassword),
        }))
      const before = withoutHash()
      const visitor = own.visitor()
      expect((await post(visitor, { ...assigned, email })).status).toBe(granted)
      const token = await mailedToken(own, email)
      const [row] = await own.rows<{ created_at: number; expires_at: number }>(
        'select created_at, expires_at from password_reset',
      )
      expect((row?.expires_at ?? 0) - (row?.created_at ?? 0)).toBe(3_600_000)
      const page = await post(visitor, { ...assigned, token, password: newPassword })
      expect(page.status).toBe(changed)
      expect(withoutHash()).toEqual(before.map((each) => ({ ...each, pw_hash: true })))
      expect(await own.rows("select 1 from password_reset where state = 'live'")).toEqual([])
    } finally {
      await own.stop()
    }
  })
})

describe.each([
  ['application/json', /"reason":"too-large"/],
  [formType, /data-reason="too-large"/],
])('a body of type %s', (type, house) => {
  const head = { Connection: 'keep-alive', 'Content-Type': type }

  it.each([
    ['16 KiB and one byte', 16_385],
    ['1 MiB and one byte', 1_048_577],
  ])('G9 of %s is refused, and the connection ended', async (_, bytes) => {
    const request = { method: 'POST', path: route, headers: head, body: 'x'.repeat(bytes) }
    const answer = await unchanged(site, () => raw(site, bytesOf(request)))
    expect(statusOf(answer)).toBe(413)
    expect(answer).toMatch(house)
  })

  it('G9 is not waited for when its length alone is too much', async () => {
    const headers = `Content-Type: ${type}\r\nContent-Length: 16385\r\nHost: x`
    const answer = await raw(site, `POST ${route} HTTP/1.1\r\n${headers}\r\n\r\n`)
    expect(statusOf(answer)).toBe(413)
    expect(answer).toMatch(house)
  })

  it('G9 without an end is read no further than the limit', async () => {
    const headers = `Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\nHost: x`
    const { answer, taken } = await unchanged(site, () =>
      endlessly(site, `POST ${route} HTTP/1.1\r\n${headers}\r\n\r\n`),
    )
    expect(statusOf(answer)).toBe(413)
    expect(answer).toMatch(house)
    // What is under way between the two ends, and never a body that grows in memory.
    expect(taken).toBeLessThan(1_048_576)
  })

  it('G9 that is as long as it may be is read', async () => {
    const [before, after] = type === formType ? ['x=', ''] : ['{"x":"', '"}']
    const body = `${before}${'x'.repeat(16_384 - before.length - after.length)}${after}`
    const page = await client.post(route, body, { 'content-type': type })
    expect(page.status).toBe(400)
    expect(page.body).toContain('email-missing')
  })
})

it('G11 takes no other name for that of the address', async () => {
  await unchanged(site, async () => {
    for (const name of ['email[]', 'email[0]', 'email[$ne]', 'email.x', 'email ', 'Email']) {
      for (const { post, reason } of formats) {
        const page = await post(client, { [name]: 'a@site.example' })
        expect([name, page.status, reason(page)]).toEqual([name, 400, 'email-missing'])
      }
    }
  })
})

it('G11 takes no other value of JSON for an address', async () => {
  const values = [{ $ne: 'a' }, { $gt: '' }, { x: 'a@site.example' }, [], [['a@site.example']], 5]
  await unchanged(site, async () => {
    for (const email of [...values, true, null]) {
      const page = await client.json(route, { email })
      expect([email, page.status, page.json['reason']]).toEqual([email, 400, 'email-missing'])
    }
  })
})

describe.each([
  ['application/json', json],
  ['text/html', form],
  [undefined, form],
])('for a client that accepts %s', (accept, expected) => {
  const headers = accept === undefined ? {} : { accept }

  it('G13 is told in that format what is wrong', async () => {
    for (const [method, path, status, reason, body] of [
      ['GET', '/nowhere', 404, 'not-found', ''],
      ['GET', '/user/%zz', 400, 'bad-request', ''],
      ['GET', `${route}?token=x`, 404, 'link-invalid', ''],
      ['GET', `${route}?step=reset`, 410, 'page-expired', ''],
      ['DELETE', route, 405, 'method-not-allowed', ''],
      ['POST', route, 400, 'email-invalid', 'email=x'],
      ['POST', route, 400, 'bad-request', 'email=%zz'],
      ['POST', route, 413, 'too-large', `email=${'x'.repeat(16_384)}`],
    ] as const) {
      const type = body === '' ? {} : { 'Content-Type': formType }
      const request = { method, path, headers: { ...headers, ...type }, body }
      const answer = await raw(site, bytesOf(request))
      expect([reason, statusOf(answer)]).toEqual([reason, status])
      expectFormat(answer, expected.name, reason)
    }
  })

  it('G13 gets JSON for JSON', async () => {
    const type = { 'Content-Type': 'application/json' }
    const request = { method: 'POST', path: route, headers: { ...headers, ...type }, body: '{}' }
    expectFormat(await raw(site, bytesOf(request)), json.name, 'email-missing')
  })

  it('G13 is told of a type that is none in that format', async () => {
    const type = { 'Content-Type': 'text/xml' }
    const request = { method: 'POST', path: route, headers: { ...headers, ...type }, body: '<a/>' }
    expectFormat(await raw(site, bytesOf(request)), expected.name, 'unsupported-type')
  })
})

function expectFormat(answer: string, name: string, reason: string): void {
  const isJson = name === json.name
  const type = isJson ? 'application/json' : 'text/html'
  expect(answer).toContain(`\r\ncontent-type: ${type}; charset=utf-8\r\n`)
  expect(answer).toContain(isJson ? `"reason":"${reason}"` : reason)
  const body = answer.slice(answer.indexOf('\r\n\r\n') + 4)
  expect(body.startsWith(isJson ? '{' : '<!doctype html>')).toBe(true)
}
