import { field, type ServerRequest } from '../action.ts'
import { parseAddress } from '../address.ts'
import { clientNetwork, type LimitedAct } from '../limit/limiter.ts'
import { newAsk } from '../proof/ask.ts'
import type { Services } from '../services.ts'
import { chooseLocale, newFlow, readFlow } from './flow.ts'
import { failure, type Outcome } from './outcome.ts'

const toForm: Outcome = { page: 'redirect', step: 'form' }

/** `POST B email`: the same answer and the same work for every address. */
export async function requestReset(request: ServerRequest, services: Services): Promise<Outcome> {
  const typed = field(request, 'email')
  const email = parseAddress(typed)
  if (email === null) {
    const reason = typed.trim() === '' ? 'email-missing' : 'email-invalid'
    return { page: 'form', email: typed, problems: [{ field: 'email', reason }] }
  }
  return ask(request, services, { email, isResent: false })
}

/** `POST B resend`: the same again, for the address of the flow. */
export async function resend(request: ServerRequest, services: Services): Promise<Outcome> {
  const email = readFlow(request, services)?.email ?? ''
  return email === '' ? toForm : ask(request, services, { email, isResent: true })
}

/** `GET B?step=sent`: where to look for the mail. */
export function showSent(request: ServerRequest, services: Services): Outcome {
  const flow = readFlow(request, services)
  return flow === null || flow.resetId === null ? toForm : { page: 'sent', flow }
}

/** How long this client has to wait before it may do this again; 0 when it may. */
export function overLimit(
  act: LimitedAct,
  request: ServerRequest,
  services: Services,
): Promise<number> {
  const network = clientNetwork(request.raw?.ip ?? '')
  return services.limiter.take(act, services.keys.mac('client', network))
}

async function ask(
  request: ServerRequest,
  services: Services,
  { email, isResent }: { email: string; isResent: boolean },
): Promise<Outcome> {
  const retryAfterMs = await overLimit('request', request, services)
  if (retryAfterMs > 0) return failure('too-many-requests', { retryAfterMs })
  const locale = chooseLocale(request, services, readFlow(request, services)).tag
  // No account is looked up here: there is nothing that could take longer, or fail, for one that exists.
  const reset = await services.resets.ask(newAsk(email, locale, services))
  services.wake()
  const flow = newFlow(services, {
    email,
    locale,
    isResent,
    resetId: reset.id,
    reference: reset.reference,
    linkExpiresAt: reset.expiresAt,
  })
  return { page: 'redirect', step: 'sent', flow }
}
