import { parse } from 'node:querystring'

/**
 * A form's fields. Broken percent-encoding is refused: kept as it came, a password would be set to
 * something that its owner never typed.
 *
 * @throws {Error} with `statusCode` 400 for an escape that is not UTF-8.
 */
export function parseForm(body: string): Record<string, unknown> {
  // A form is ASCII; raw bytes that are no UTF-8 have become this mark on their way.
  if (body.includes('\ufffd') || !isEncoded(body)) throw badRequest('The form is not UTF-8')
  return { ...parse(body) }
}

/**
 * Lets a URL's query pass.
 *
 * @throws {Error} with `statusCode` 400 for an escape that is not UTF-8.
 */
export function checkQuery(url: string): void {
  const start = url.indexOf('?')
  if (start >= 0 && !isEncoded(url.slice(start))) throw badRequest('The query is not UTF-8')
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/**
 * A JSON object. What two readers could read differently is refused: keys that stand twice, bytes that
 * are no UTF-8 (RFC 8259 §4, §8.1), and keys that some code takes for an object's prototype.
 *
 * @throws {Error} with `statusCode` 400 for anything else.
 */
export function parseJson(body: Uint8Array): Record<string, unknown> {
  const text = decode(body)
  let keys = 0
  let value: unknown
  try {
    value = JSON.parse(text, (_, inner: unknown) => {
      if (isMap(inner)) keys += Object.keys(inner).length
      return inner
    })
  } catch {
    throw badRequest('The body is not JSON')
  }
  if (!isMap(value)) throw badRequest('The body is not a JSON object')
  if (keys !== countKeys(text)) throw badRequest('A key stands twice in the body')
  if (Object.hasOwn(value, '__proto__') || Object.hasOwn(value, 'constructor')) {
    throw badRequest('The body has a key that is no field')
  }
  return value
}

/**
 * How many keys stand in a JSON text: each text is read whole, so that none is looked at twice.
 *
 * @throws {Error} with `statusCode` 400 for an escaped key: no field needs one, and it hides what it spells.
 */
function countKeys(json: string): number {
  let count = 0
  for (const [whole, colon] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) {
    if (colon === undefined) continue
    if (whole.includes('\\')) throw badRequest('A key in the body has an escape')
    count += 1
  }
  return count
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw badRequest('The body is not UTF-8')
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function badRequest(message: string): Error {
  return Object.assign(new Error(message), { statusCode: 400 })
}
