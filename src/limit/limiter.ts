import { isIPv6 } from 'node:net'

/** What one client may do only so often. */
export type LimitedAct = 'request' | 'bad-proof'

/** Counts what clients do. */
export interface Limiter {
  /**
   * Counts one act. The answer is how many milliseconds the client has to wait, or 0 when the act was
   * within its limit.
   *
   * @param client A key that stands for the client, such as a MAC of {@link clientNetwork}.
   */
  take(act: LimitedAct, client: string): Promise<number>
}

/**
 * The part of an address that one client holds: all of an IPv4 address, the first 64 bits of an IPv6 one,
 * since a household or a rented server has 2^64 of the latter to choose from.
 */
export function clientNetwork(ip: string): string {
  const address = ip.replace(/%.*$/, '').toLowerCase()
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  return isIPv6(address) ? groups(address).slice(0, 4).join(':') : address
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
