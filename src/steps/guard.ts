import { field, has } from '../action.ts'
import { foldAscii } from '../address.ts'
import type { LimitedAct } from '../limit/limiter.ts'
import { clientNetwork } from '../network.ts'
import { isUnchanged } from '../proof/account.ts'
import { linkHash } from '../proof/link.ts'
import type { KeyRing } from '../proof/secret.ts'
import type { Services } from '../services.ts'
import type { Allowance, Reset } from '../store/store.ts'
import type { User } from '../user.ts'
import { type Flow, newFlow } from './flow.ts'
import { type ErrorPage, type ErrorReason, failure } from './outcome.ts'
import type { Visit } from './visit.ts'

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
 * The account a token is for, or the page that tells why there is none. Looking spends nothing, so that
 * mail scanners may look as often as they like. Only what is no token is counted against the client: a
 * limit never stops a valid link.
 */
export async function accountOfToken(
  token: string,
  visit: Visit,
  services: Services,
): Promise<Live | ErrorPage> {
  const hash = linkHash(token)
  const reset = hash === null ? null : await services.resets.findByToken(hash)
  const live = sameAddress(await liveAccount(reset, services), visit, services)
  if (!('page' in live) || live.reason !== 'link-invalid') return live
  return (await refusalOf('bad-proof', visit, services)) ?? live
}

/** The account that this visitor has shown to be theirs, or the page that tells why there is none. */
export async function provenAccount(
  { flow }: Visit,
  services: Services,
): Promise<(Live & { readonly flow: Flow }) | ErrorPage> {
  if (flow === null || !flow.isProven || flow.resetId === null) return failure('page-expired')
  const live = await liveAccount(await services.resets.find(flow.resetId), services)
  return 'page' in live ? live : { ...live, flow }
}

/** The flow of a visitor who has shown that an account's mailbox is theirs. */
export function provenFlow({ reset, user }: Live, locale: string, services: Services): Flow {
  return newFlow(services, {
    email: user.email,
    locale,
    resetId: reset.id,
    isProven: true,
    reference: reset.reference,
    linkExpiresAt: reset.expiresAt,
  })
}

/** A link may carry its account's address, sealed: a page that sends it along must have it right. */
function sameAddress(
  live: Live | ErrorPage,
  { request }: Visit,
  { keys }: Services,
): Live | ErrorPage {
  if ('page' in live || !has(request, 'sealedEmail')) return live
  const email = keys.open('email', field(request, 'sealedEmail'))
  return email === live.user.email ? live : failure('link-invalid', { about: live.reset })
}

/** Counts what a client does: the page that tells it to wait, or `null` when it need not. */
export async function refusalOf(
  act: LimitedAct,
  visit: Visit,
  { keys, limiter }: Services,
): Promise<ErrorPage | null> {
  return waiting(await limiter.take(act, clientKey(visit, keys)))
}

/** The page that tells a client which has done too much already to wait, or `null`. Nothing is counted. */
export async function pendingRefusalOf(
  act: LimitedAct,
  visit: Visit,
  { keys, limiter }: Services,
): Promise<ErrorPage | null> {
  return waiting(await limiter.wait(act, clientKey(visit, keys)))
}

/** How often this client may do something, where it is counted with what it does. */
export function allowancesOf(
  act: LimitedAct,
  visit: Visit,
  { keys, limiter }: Services,
): readonly Allowance[] {
  return limiter.allowances(act, clientKey(visit, keys))
}

function clientKey({ request }: Visit, keys: KeyRing): string {
  return keys.mac('client', clientNetwork(request.raw?.ip ?? ''))
}

function waiting(retryAfterMs: number): ErrorPage | null {
  return retryAfterMs > 0 ? failure('too-many-requests', { retryAfterMs }) : null
}

/** The account behind a reset, or the page that tells why it cannot be used. */
export async function liveAccount(
  reset: Reset | null,
  services: Services,
): Promise<Live | ErrorPage> {
  if (reset === null) return failure('link-invalid')
  const about = reset
  if (reset.userId === null || reset.accountMark === null) return failure('link-invalid', { about })
  const user = await services.users.findById(reset.userId)
  if (user === null || user.canReset === false) return failure('link-invalid', { about })
  if (reset.state !== 'live') return ended(endReasons[reset.state], reset, user, services)
  const now = services.clock.now()
  // Written down, so that a clock that jumps back does not revive it.
  if (reset.expiresAt <= now) {
    await services.resets.end(reset.id, 'expired', now)
    return ended('link-expired', reset, user, services)
  }
  if (!isUnchanged(services.keys, user, reset.accountMark)) {
    await services.resets.end(reset.id, 'revoked', now)
    return failure('link-invalid', { about })
  }
  return { reset, user }
}

/**
 * The page for a link that once worked: its holder may have a new mail without typing the address, unless
 * the account has another by now, which is not the holder's to learn.
 */
function ended(reason: ErrorReason, reset: Reset, user: User, services: Services): ErrorPage {
  const isHolders = services.keys.verifies('subject', foldAscii(user.email), reset.subjectKey)
  if (reason === 'link-invalid' || !isHolders) return failure(reason, { about: reset })
  return failure(reason, {
    about: reset,
    flow: newFlow(services, { email: user.email, locale: reset.locale }),
  })
}
