import { isUnchanged } from '../proof/account.ts'
import type { Services } from '../services.ts'
import type { Reset } from '../store/store.ts'
import type { User } from '../user.ts'
import { newFlow } from './flow.ts'
import { type ErrorPage, type ErrorReason, failure } from './outcome.ts'

/** A reset that can be used now, and the account it is for. */
export interface Live {
  readonly reset: Reset
  readonly user: User
}

const endReasons: Readonly<Record<Exclude<Reset['state'], 'live'>, ErrorReason>> = {
  used: 'link-used',
  replaced: 'link-replaced',
  expired: 'link-expired',
  revoked: 'link-invalid',
}

/**
 * The account behind a reset, or the page that tells why it cannot be used. Looking spends nothing, so
 * that mail scanners may look as often as they like.
 */
export async function liveAccount(
  reset: Reset | null,
  services: Services,
): Promise<Live | ErrorPage> {
  if (reset === null || reset.userId === null || reset.accountMark === null) {
    return failure('link-invalid')
  }
  const user = await services.users.findById(reset.userId)
  if (user === null) return failure('link-invalid')
  if (reset.state !== 'live') return ended(endReasons[reset.state], reset, user, services)
  const now = services.clock.now()
  // Written down, so that a clock that jumps back does not revive it.
  if (reset.expiresAt <= now) {
    await services.resets.end(reset.id, 'expired', now)
    return ended('link-expired', reset, user, services)
  }
  if (!isUnchanged(services.keys, user, reset.accountMark)) {
    await services.resets.end(reset.id, 'revoked', now)
    return failure('link-invalid')
  }
  return { reset, user }
}

/** The page for a link that once worked: its holder may have a new mail without typing the address. */
function ended(reason: ErrorReason, reset: Reset, user: User, services: Services): ErrorPage {
  if (reason === 'link-invalid') return failure(reason)
  return failure(reason, {
    flow: newFlow(services, { email: user.email, locale: reset.locale }),
  })
}
