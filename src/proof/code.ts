import { linkSecretIndex } from './link.ts'
import { equal, type KeyRing } from './secret.ts'

// Normalizing takes time that grows with the square of the length (UAX #15 §14.1 tells of such texts).
const longestTyped = 64

/** What a code is derived from: never stored, so that a stolen database holds none. */
interface CodeSource {
  /** The row it belongs to. */
  readonly id: string
  /** The row's link hash: it tells which secret the row was made with. */
  readonly tokenHash: string
  /** Counts the codes of a row: a new one makes those before it worthless. */
  readonly generation: number
}

/**
 * The code of a row: the first 64 bits of its MAC, reduced to decimal digits. The remainder's bias is
 * below one in 10^9, so that every code is as likely as any other (OWASP ASVS 6.5.3). One secret makes one
 * code: with every secret of the ring allowed, a guess would have as many chances. `null` once it is retired.
 *
 * @param digits 6 to 10.
 */
export function codeOf(
  ring: KeyRing,
  { id, tokenHash, generation }: CodeSource,
  digits: number,
): string | null {
  const mac = ring.macs('code', `${id}:${generation}`)[linkSecretIndex(ring, id, tokenHash)]
  return mac === undefined ? null : reduce(mac, digits)
}

/** Whether a code is this row's, compared in constant time. */
export function isCodeOf(ring: KeyRing, source: CodeSource, code: string): boolean {
  const right = codeOf(ring, source, code.length)
  return right !== null && equal(right, code)
}

/**
 * The digits a visitor typed: pasted blanks, dashes and invisible characters are dropped, and the digits
 * of any script are read as 0 to 9. What else there is stays, and makes it no code. `null` when it is too
 * long for anybody to have typed it.
 */
export function readCode(typed: string): string | null {
  if (typed.length > longestTyped) return null
  return typed
    .normalize('NFKC')
    .replace(/[\s\p{Cf}\p{Pd}]/gu, '')
    .replace(/\p{Nd}/gu, (digit) => String(digitValue(digit)))
}

function reduce(mac: string, digits: number): string {
  const number = Buffer.from(mac, 'base64url').readBigUInt64BE()
  return String(number % 10n ** BigInt(digits)).padStart(digits, '0')
}

/** Unicode keeps the ten digits of each script in one run that begins with zero (Unicode §4.6). */
function digitValue(digit: string): number {
  let point = digit.codePointAt(0) ?? 0
  let value = 0
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(point - 1))) {
    point -= 1
    value += 1
  }
  return value
}
