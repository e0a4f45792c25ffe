import { expect, it } from 'vitest'
import { field, HtmlResponse, has, JsonResponse, type ServerRequest } from '../src/action.ts'

const request = (data: Record<string, unknown>): ServerRequest => ({
  method: 'POST',
  path: '/',
  headers: {},
  parameters: {},
  data,
})

it.each([[['a', 'b']], [{ a: 1 }], [1], [null], [undefined], [true]])(
  'reads %j as nothing where text belongs',
  (value) => {
    expect(field(request({ email: value }), 'email')).toBe('')
  },
)

it('reads nothing from the prototype', () => {
  expect(field(request({}), 'constructor')).toBe('')
  expect(has(request({}), 'toString')).toBe(false)
})

it('tells an empty field from an absent one', () => {
  expect(has(request({ password: '' }), 'password')).toBe(true)
})

it('lets a response override its content type', () => {
  expect(new HtmlResponse('', 200).headers['content-type']).toBe('text/html; charset=utf-8')
  expect(new JsonResponse({ a: 1 }).body).toBe('{"a":1}')
})
