import { domainOf } from '../address.ts'
import type { Smtp } from '../config/config.ts'
import type { Limiter } from '../limit/limiter.ts'
import type { Limit, Milliseconds } from '../units.ts'

/** Keeps to what the mail server, or one domain of recipients, takes in a time. */
export class Pace {
  readonly #limiter: Limiter<string>
  readonly #domains: ReadonlySet<string>

  /** @param limiter Counts the acts of {@link paceLimits}. */
  constructor(limiter: Limiter<string>, { domainLimits }: Smtp) {
    this.#limiter = limiter
    this.#domains = new Set(Object.keys(domainLimits))
  }

  /** How many milliseconds a mail to this address has to wait; 0: it may go, and counts. */
  async wait(address: string): Promise<Milliseconds> {
    const domain = domainOf(address).toLowerCase()
    const acts = [this.#actOf(domain), 'mail'] as const
    const waits = await Promise.all(
      acts.map((act) => this.#limiter.wait(act, clientOf(act, domain))),
    )
    if (waits.some((waitMs) => waitMs > 0)) return Math.max(...waits)
    const taken = await Promise.all(
      acts.map((act) => this.#limiter.take(act, clientOf(act, domain))),
    )
    return Math.max(...taken)
  }

  #actOf(domain: string): string {
    return `mail-${this.#domains.has(domain) ? domain : '*'}`
  }
}

/** What {@link Pace} counts, and how much of it there may be; `null` where there is no limit at all. */
export function paceLimits({ limit, domainLimits }: Smtp): Record<string, readonly Limit[]> | null {
  const domains = Object.entries({ '*': [], ...domainLimits })
  if (limit.length === 0 && domains.every(([, list]) => list.length === 0)) return null
  return {
    mail: limit,
    ...Object.fromEntries(domains.map(([domain, list]) => [`mail-${domain}`, list])),
  }
}

/** All mails together are one client; every domain is one, those of `*` too. */
function clientOf(act: string, domain: string): string {
  return act === 'mail' ? 'all' : domain
}
