import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readLocaleFiles } from '../src/locale/files.ts'
import { hours } from './support/clock.ts'
import { accounts, newPassword, route, Site } from './support/site.ts'
import { codeIn, linkIn } from './support/smtp.ts'
import type { Page, Visitor } from './support/visitor.ts'

const { alice } = accounts

type Content = { readonly content?: { readonly 'application/json'?: { readonly schema: object } } }
type Responses = Readonly<Record<string, Content & { readonly $ref?: string }>>

const document = parse(readFileSync('openapi.yaml', 'utf8'))
// What the document names beside the schemas, such as `examples`, is for readers.
const ajv = new Ajv2020({ strict: false, validateFormats: false })
ajv.addSchema(document, 'openapi')

let site: Site
let client: Visitor
beforeAll(async () => {
  site = await Site.start({ recovery: { methods: ['link', 'code'] } })
  client = site.visitor()
})
afterAll(() => site.stop())

/** The schema of one answer in the document, or an error when the document knows no such answer. */
function schemaOf(method: 'get' | 'post', status: number): ValidateFunction {
  const responses: Responses = document.paths[route][method].responses
  const found = responses[String(status)]
  if (found === undefined) throw new Error(`${method} has no answer ${status}`)
  const base = found.$ref ?? `#/paths/${escapePath(route)}/${method}/responses/${status}`
  return ajv.compile({ $ref: `openapi${base}/content/application~1json/schema` })
}

function escapePath(path: string): string {
  return path.replaceAll('~', '~0').replaceAll('/', '~1')
}

function expectDocumented(method: 'get' | 'post', page: Page, status: number): void {
  expect(page.status).toBe(status)
  const validate = schemaOf(method, status)
  expect([validate(page.json), validate.errors]).toEqual([true, null])
}

const post = (body: unknown, headers: Record<string, string> = {}) =>
  client.json(route, body, { headers })
const open = (token: string) => client.json(`${route}?token=${token}`, null, { method: 'GET' })

describe('openapi.yaml', () => {
  it('tells every answer of a recovery by code and by link', async () => {
    const asked = await post({ email: alice.email })
    expectDocumented('post', asked, 202)
    const [mail] = await site.smtp.to(alice.email)
    const code = codeIn(mail)
    const token = new URL(linkIn(mail)).searchParams.get('token') ?? ''
    for (const text of [code, token, newPassword]) site.secrets.add(text)
    const { reference } = asked.json['data'] as { reference: string }
    expectDocumented('post', await post({ reference, code }), 200)
    expectDocumented('get', await open(token), 200)
    expectDocumented('post', await post({ token, password: 'short' }), 400)
    expectDocumented('post', await post({ token, password: newPassword }), 200)
    expectDocumented('get', await open(token), 410)
    expectDocumented('post', await post({ reference, code, password: newPassword }), 400)
    expectDocumented('get', await open('x'.repeat(43)), 404)
  })

  it('tells every answer to what cannot be used', async () => {
    expectDocumented('post', await post({ email: 'x' }), 400)
    expectDocumented('post', await post('null'), 400)
    expectDocumented('post', await post({ code: '123456', reference: 'AAAA-2222' }), 400)
    expectDocumented(
      'post',
      await post({ email: alice.email }, { origin: 'https://evil.example' }),
      403,
    )
    expectDocumented('post', await post({ email: 'x'.repeat(20_000) }), 413)
    expectDocumented('post', await post('{}', { 'content-type': 'text/plain' }), 415)
    expectDocumented('post', await post({ password: newPassword }), 410)
    expectDocumented('post', await post({ token: 'x', password: newPassword }), 404)
    site.clock.move(hours(2))
    const asked = await post({ email: alice.email })
    const { reference } = asked.json['data'] as { reference: string }
    for (let each = 0; each < 4; each += 1) await post({ reference, code: '000000' })
    expectDocumented('post', await post({ reference, code: '000000' }), 429)
  })

  it('tells the answers when the server fails', async () => {
    site.database.exec('alter table members rename to gone')
    const [mail] = await site.smtp.to(alice.email)
    const page = await open(new URL(linkIn(mail)).searchParams.get('token') ?? '')
    expectDocumented('get', page, 503)
    expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(0)
    site.database.exec('alter table gone rename to members')
  })

  it('names every reason that there is a text for, and no other', () => {
    const english = readLocaleFiles('locales').find(({ tag }) => tag === 'en')
    const keys = [...(english?.messages.keys() ?? [])].filter((key) => key.startsWith('reason.'))
    const reasons = new Set(keys.map((key) => key.split('.')[1]))
    expect(document.components.schemas.Reason.enum).toEqual([...reasons].sort())
  })

  it('refuses what the server does not say', () => {
    const validate = schemaOf('post', 202)
    expect(validate({ success: true, step: 'sent', message: 'x', data: {} })).toBe(false)
    expect(() => schemaOf('get', 202)).toThrow('no answer 202')
  })
})
