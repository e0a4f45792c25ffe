import { field, type ServerRequest } from '../action.ts'
import { linkHash } from '../proof/link.ts'
import type { Services } from '../services.ts'
import type { Reset } from '../store/store.ts'
import { liveAccount } from './account.ts'
import { newFlow, readFlow } from './flow.ts'
import { failure, type Outcome } from './outcome.ts'
import { overLimit } from './request.ts'

/**
 * `GET B?token=`: takes the token out of the address bar, history and referrer at once. It changes
 * nothing, however often a mail scanner asks.
 */
export async function openLink(request: ServerRequest, services: Services): Promise<Outcome> {
  const reset = await findByToken(field(request, 'token'), services)
  const live = await liveAccount(reset, services)
  if ('user' in live) {
    const flow = newFlow(services, {
      email: live.user.email,
      locale: live.reset.locale,
      resetId: live.reset.id,
      isProven: true,
      reference: live.reset.reference,
      linkExpiresAt: live.reset.expiresAt,
    })
    return { page: 'redirect', step: 'reset', flow }
  }
  return live.reason === 'link-invalid' ? refuseBadProof(request, services) : live
}

/** `GET B?step=reset`: the form for the new password. */
export async function showReset(request: ServerRequest, services: Services): Promise<Outcome> {
  const flow = readFlow(request, services)
  if (flow === null || !flow.isProven || flow.resetId === null) return failure('page-expired')
  const live = await liveAccount(await services.resets.find(flow.resetId), services)
  if ('reason' in live) return live
  return { page: 'reset', flow, account: live.user.email, token: '', problems: [] }
}

/** The reset of a token, or `null`. */
export async function findByToken(token: string, services: Services): Promise<Reset | null> {
  const hash = linkHash(token)
  return hash === null ? null : services.resets.findByToken(hash)
}

/** Counts a token that is none: only those are limited, so that a limit never stops a valid link. */
export async function refuseBadProof(request: ServerRequest, services: Services): Promise<Outcome> {
  const retryAfterMs = await overLimit('bad-proof', request, services)
  return retryAfterMs > 0 ? failure('too-many-requests', { retryAfterMs }) : failure('link-invalid')
}
