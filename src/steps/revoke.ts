import { field } from '../action.ts'
import { readRevokeToken } from '../proof/revoke.ts'
import type { Services } from '../services.ts'
import type { Reset } from '../store/store.ts'
import { newFlow } from './flow.ts'
import { refusalOf } from './guard.ts'
import { type ErrorPage, failure, type Outcome } from './outcome.ts'
import type { Visit } from './visit.ts'

/** `GET B?revoke=`: one button, since mail scanners follow links. */
export async function showRevoke(visit: Visit, services: Services): Promise<Outcome> {
  const reset = await findReset(visit, services)
  return 'page' in reset ? reset : { page: 'revoke', token: field(visit.request, 'revoke') }
}

/** `POST B revoke`: "this wasn't me". What was mailed is worth nothing from here on, and all sessions end. */
export async function revoke(visit: Visit, services: Services): Promise<Outcome> {
  const { clock, log, resets, users } = services
  const reset = await findReset(visit, services)
  if ('page' in reset) return reset
  await resets.revoke(reset.id, clock.now())
  if (reset.userId !== null) await users.endSessions?.(reset.userId)
  log.info({ reset: reset.id }, 'revoked by the account’s mailbox')
  const flow = newFlow(services, { email: '', locale: visit.locale.tag })
  return { page: 'redirect', step: 'revoked', flow, about: reset }
}

/** `GET B?step=revoked`. */
export function showRevoked(): Outcome {
  return { page: 'revoked' }
}

async function findReset(visit: Visit, services: Services): Promise<Reset | ErrorPage> {
  const id = readRevokeToken(services.keys, field(visit.request, 'revoke'))
  const reset = id === null ? null : await services.resets.find(id)
  if (reset !== null) return reset
  return (await refusalOf('bad-proof', visit, services)) ?? failure('link-invalid')
}
