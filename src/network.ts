import { isIP, isIPv6 } from 'node:net'

/** Whether a host name or address is this machine itself. */
export function isLoopback(host: string): boolean {
  const bare = plainAddress(host.replace(/^\[|\]$/g, ''))
  if (bare === 'localhost' || bare.endsWith('.localhost')) return true
  return isIP(bare) === 4 ? bare.startsWith('127.') : bare === '::1'
}

/**
 * The part of an address that one client holds: all of an IPv4 address, the first 64 bits of an IPv6 one,
 * since a household or a rented server has 2^64 of the latter to choose from.
 */
export function clientNetwork(ip: string): string {
  const address = plainAddress(ip)
  return isIPv6(address) ? groups(address).slice(0, 4).join(':') : address
}

/** What may be kept of a client's address: 24 bits of an IPv4 one, 48 of an IPv6 one; `''` for none. */
export function truncatedNetwork(ip: string): string {
  const address = plainAddress(ip)
  if (isIPv6(address)) return `${groups(address).slice(0, 3).join(':')}::`
  return isIP(address) === 4 ? address.replace(/\.\d+$/, '.0') : ''
}

/** Without its zone, in lower case, and an IPv4 address that came in an IPv6 one as itself. */
function plainAddress(ip: string): string {
  const address = ip.replace(/%.*$/, '').toLowerCase()
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address
}

/** The eight groups of an IPv6 address, `::` written out and zeros at the front dropped. */
function groups(address: string): string[] {
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : 8 - left.length - right.length
  const all = [...left, ...Array.from({ length: missing }, () => '0'), ...right]
  return all.map((group) => group.replace(/^0+(?=.)/, ''))
}
