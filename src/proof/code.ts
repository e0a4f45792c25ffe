import { equal, type KeyRing } from './secret.ts'

/** What a code is derived from: never stored, so that a stolen database holds none. */
export interface CodeSource {
  /** The row it belongs to. */
  readonly id: string
  /** Counts the codes of a row: a new one makes those before it worthless. */
  readonly generation: number
}

/**
 * The code of a row: the first 64 bits of its MAC, reduced to decimal digits. The remainder's bias is
 * below one in 10^12, so that every code is as likely as any other (OWASP ASVS 6.5.3).
 *
 * @param digits 6 to 10.
 */
export function codeOf(ring: KeyRing, source: CodeSource, digits: number): string {
  return reduce(ring.mac('code', describe(source)), digits)
}

/** Whether a code is this row's, under any of the secrets, compared in constant time. */
export function isCodeOf(ring: KeyRing, source: CodeSource, code: string): boolean {
  return ring
    .macs('code', describe(source))
    .map((mac) => equal(reduce(mac, code.length), code))
    .includes(true)
}

/**
 * The digits a visitor typed: pasted blanks, dashes and invisible characters are dropped, and the digits
 * of any script are read as 0 to 9. What else there is stays, and makes it no code.
 */
export function readCode(typed: string): string {
  return typed
    .normalize('NFKC')
    .replace(/[\s\p{Cf}\p{Pd}]/gu, '')
    .replace(/\p{Nd}/gu, (digit) => String(digitValue(digit)))
}

function describe({ id, generation }: CodeSource): string {
  return `${id}:${generation}`
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
