import type { Path } from './problems.ts'

const secretKeys = new Set<unknown>(['secret', 'pass'])
const mask = '***'

/** Whether nothing but a secret stands at a path. */
export function isSecretKey(path: Path): boolean {
  return secretKeys.has(path.at(-1))
}

/** A text without the passwords of the addresses in it: before an @, and in a query. */
export function withoutPasswords(text: string): string {
  return text
    .replace(/(:\/\/[^\s:@/]*):[^\s/]*@/g, `$1:${mask}@`)
    .replace(/([?&](?:password|pass|sslpassword|token|secret)=)[^&\s]+/gi, `$1${mask}`)
}

/** A value without what is secret in it: of a secret key nothing is left. */
export function masked(path: Path, value: unknown): unknown {
  if (value === null) return null
  if (isSecretKey(path)) return Array.isArray(value) ? value.map(() => mask) : mask
  if (typeof value === 'string') return withoutPasswords(value)
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((inner, index) => masked([...path, index], inner))
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, masked([...path, key], inner)]),
  )
}
