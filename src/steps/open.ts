import { field } from '../action.ts'
import type { Services } from '../services.ts'
import { accountOfToken, provenAccount, provenFlow } from './guard.ts'
import type { Outcome } from './outcome.ts'
import type { Visit } from './visit.ts'

/**
 * `GET B?token=`: takes the token out of the address bar, history and referrer at once. It changes
 * nothing, however often a mail scanner asks.
 */
export async function openLink(visit: Visit, services: Services): Promise<Outcome> {
  const token = field(visit.request, 'token')
  const live = await accountOfToken(token, visit, services)
  if ('page' in live) return live
  const { reset, user } = live
  const flow = provenFlow(live, reset.locale, services)
  const facts = { email: user.email, name: user.name ?? '', token, changedAt: null }
  return { page: 'redirect', step: 'reset', flow, facts, about: reset }
}

/** `GET B?step=reset`: the form for the new password. */
export async function showReset(visit: Visit, services: Services): Promise<Outcome> {
  const proven = await provenAccount(visit, services)
  if ('page' in proven) return proven
  const { flow, user } = proven
  return { page: 'reset', flow, account: user.email, token: '', problems: [] }
}
