import { field } from '../action.ts'
import { parseAddress } from '../address.ts'
import { truncatedNetwork } from '../network.ts'
import { newResetRequest } from '../proof/reset-request.ts'
import type { Services } from '../services.ts'
import { newFlow } from './flow.ts'
import { allowancesOf } from './guard.ts'
import { failure, type Outcome } from './outcome.ts'
import type { Visit } from './visit.ts'

const toForm: Outcome = { page: 'redirect', step: 'form' }

/** `POST B email`: the same answer and the same work for every address. */
export async function requestReset(visit: Visit, services: Services): Promise<Outcome> {
  const typed = field(visit.request, 'email')
  const email = parseAddress(typed)
  if (email === null) {
    const reason = typed.trim() === '' ? 'email-missing' : 'email-invalid'
    return { page: 'form', email: typed, problems: [{ field: 'email', reason }] }
  }
  return send(email, { isResent: false }, visit, services)
}

/** `POST B resend`: the same again, for the address of the flow. */
export async function resend(visit: Visit, services: Services): Promise<Outcome> {
  const email = visit.flow?.email ?? ''
  return email === '' ? toForm : send(email, { isResent: true }, visit, services)
}

/** `GET B?step=sent`: where to look for the mail. */
export function showSent({ flow }: Visit): Outcome {
  // Without its cookie a browser would come back here for ever: the page says so.
  return flow === null || flow.resetId === null
    ? failure('page-expired')
    : { page: 'sent', flow, problems: [] }
}

async function send(
  email: string,
  { isResent }: { isResent: boolean },
  visit: Visit,
  services: Services,
): Promise<Outcome> {
  const locale = visit.locale.tag
  // No account is looked up here: there is nothing that could take longer, or fail, for one that exists.
  const client = truncatedNetwork(visit.request.raw?.ip ?? '')
  const request = newResetRequest(email, locale, services, client)
  const reset = await services.resets.request(request, allowancesOf('request', visit, services))
  if ('waitMs' in reset) return failure('too-many-requests', { retryAfterMs: reset.waitMs })
  // Written down in the same transaction: no address costs more of them than another.
  services.events.tell({
    name: reset.isGranted ? 'requested' : 'suppressed',
    at: request.now,
    resetId: reset.id,
    userId: null,
    subjectKey: request.subjectKeys[0],
    client,
    reason: '',
  })
  services.wake()
  const flow = newFlow(services, {
    email,
    locale,
    isResent,
    resetId: reset.id,
    reference: reset.reference,
    linkExpiresAt: reset.expiresAt,
    codeExpiresAt: reset.code?.expiresAt ?? null,
  })
  return { page: 'redirect', step: 'sent', flow }
}
