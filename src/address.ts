import { domainToASCII } from 'node:url'

// RFC 5321 §4.5.3.1: 64 octets before the @, 254 in all (errata 1690). RFC 1035 §2.3.4: 63 a label.
const longestLocalOctets = 64
const longestAddressOctets = 254
const longestLabelOctets = 63
// What is longer with its blanks is no address, and not worth a look at each character.
const longestTyped = 512

// RFC 5322 §3.2.3 atom characters, plus letters beyond ASCII (RFC 6531). Quoted local parts, comments
// and groups are refused: no mailbox needs them, and they are how a recipient list is smuggled in.
const localPart =
  /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u
const label = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/

/**
 * The address a visitor typed, without the blanks around it, or `null` when it cannot be one person's
 * mailbox. Its spelling is kept: whether `Bob@` and `bob@` are one account is the user table's business.
 */
export function parseAddress(typed: string): string | null {
  if (typed.length > longestTyped) return null
  const address = trimAscii(typed)
  const at = address.lastIndexOf('@')
  if (at < 1 || Buffer.byteLength(address) > longestAddressOctets) return null
  const local = address.slice(0, at)
  if (Buffer.byteLength(local) > longestLocalOctets || !localPart.test(local)) return null
  return isDomain(address.slice(at + 1)) ? address : null
}

/**
 * Lower case for A to Z alone. Full Unicode folding would let a look-alike such as `ı` or the Kelvin
 * sign meet another person's account (CVE-2019-19844).
 */
export function foldAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** `name@host` to `host`, as DNS spells it. */
export function domainOf(address: string): string {
  return domainToASCII(address.slice(address.lastIndexOf('@') + 1))
}

/** Without the ASCII blanks around it; others, such as a zero-width space, are part of what was typed. */
function trimAscii(text: string): string {
  const isBlank = (index: number) => ' \t\r\n'.includes(text.charAt(index))
  let start = 0
  let end = text.length
  while (start < end && isBlank(start)) start += 1
  while (end > start && isBlank(end - 1)) end -= 1
  return text.slice(start, end)
}

function isDomain(domain: string): boolean {
  if (!/^[\p{L}\p{M}\p{N}.-]+$/u.test(domain)) return false
  const labels = domainToASCII(domain).split('.')
  return (
    labels.length > 1 &&
    labels.every((part) => part.length <= longestLabelOctets && label.test(part)) &&
    !/^\d+$/.test(labels.at(-1) ?? '')
  )
}
