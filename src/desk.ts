import { foldAscii, parseAddress } from './address.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config/config.ts'
import { mailedLink } from './mail/link.ts'
import { accountMark } from './proof/account.ts'
import { linkToken } from './proof/link.ts'
import { showReference } from './proof/reference.ts'
import { newResetRequest } from './proof/reset-request.ts'
import type { KeyRing } from './proof/secret.ts'
import type { Keys, Store, TrailEvent } from './store/store.ts'
import type { User } from './user.ts'
import type { Users } from './users/users.ts'

/** A link that is handed over by a person. */
export interface IssuedLink {
  readonly link: string
  readonly reference: string
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
}

/** Why the desk can do nothing for an address. */
export type DeskRefusal = 'no-address' | 'no-account' | 'no-password'

interface DeskParts {
  readonly config: Config
  readonly clock: Clock
  readonly keys: KeyRing
  readonly store: Store
  readonly users: Users
}

/** What a site's support does for one person, knowing who that is: the command line's `link` and `audit`. */
export class SupportDesk {
  readonly #parts: DeskParts

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** A new link for the account of an address, in the place of any other; nothing is mailed. */
  async issue(typed: string): Promise<IssuedLink | DeskRefusal> {
    const user = await this.#find(typed)
    if (typeof user === 'string') return user
    if (user.canReset === false) return 'no-password'
    const { config, clock, keys, store } = this.#parts
    const locale = user.locale ?? config.locales.default
    // By the address of the account, which may be spelt otherwise than it was typed.
    const reset = await store.resets.issue(newResetRequest(user.email, locale, this.#parts))
    await store.resets.assign({
      resetId: reset.id,
      userId: user.id,
      accountMark: accountMark(keys, user),
      locale: reset.locale,
      now: clock.now(),
    })
    const link = mailedLink(config, {
      token: linkToken(keys, reset.id, reset.tokenHash) ?? '',
      reference: reset.reference,
      sealedEmail: () => keys.sealStably('email', user.email),
    })
    return { link, reference: showReference(reset.reference), expiresAt: reset.expiresAt }
  }

  /** Ends the links and codes of an address, known or not; `false` when there were none. */
  async revoke(typed: string): Promise<boolean | DeskRefusal> {
    const keys = this.#keysOf(typed)
    if (keys === null) return 'no-address'
    const { clock, store } = this.#parts
    const reset = await store.resets.findBySubject(keys)
    const now = clock.now()
    if (reset === null || reset.state !== 'live' || reset.expiresAt <= now) return false
    await store.resets.revoke(reset.id, now)
    const about = { resetId: reset.id, userId: reset.userId, subjectKey: reset.subjectKey }
    const event = { ...about, name: 'revoked', at: now, client: '', reason: 'support' } as const
    await store.audit.add([event])
    return true
  }

  /** What happened to an address and to its account, the newest first, at most `count`. */
  async events(typed: string, count: number): Promise<TrailEvent[] | DeskRefusal> {
    const keys = this.#keysOf(typed)
    if (keys === null) return 'no-address'
    const user = await this.#find(typed)
    const userId = typeof user === 'string' ? null : user.id
    return this.#parts.store.audit.about(keys, userId, count)
  }

  async #find(typed: string): Promise<User | DeskRefusal> {
    const email = parseAddress(typed)
    if (email === null) return 'no-address'
    return (await this.#parts.users.findByEmail(email)) ?? 'no-account'
  }

  #keysOf(typed: string): Keys | null {
    const email = parseAddress(typed)
    return email === null ? null : this.#parts.keys.macs('subject', foldAscii(email))
  }
}
