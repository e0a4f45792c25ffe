import type { EventName } from '../events.ts'
import { truncatedNetwork } from '../network.ts'
import type { Services } from '../services.ts'
import type { Outcome } from './outcome.ts'
import type { Visit } from './visit.ts'

const endEvents: Readonly<Record<string, EventName>> = {
  'code-locked': 'code_locked',
  'code-wrong': 'code_failed',
  'cross-site': 'rejected',
  'codes-off': 'rejected',
  'link-expired': 'expired',
  'code-expired': 'expired',
  'link-invalid': 'rejected',
  'link-replaced': 'rejected',
  'link-used': 'rejected',
  'page-outdated': 'rejected',
  'reference-unknown': 'rejected',
  'too-many-requests': 'rate_limited',
}

const redirectEvents: Readonly<Record<string, EventName>> = {
  done: 'changed',
  reset: 'opened',
  revoked: 'revoked',
}

/** Records what became of a visit: here and nowhere else, so that no step can forget to. */
export function recordOutcome(outcome: Outcome, { request }: Visit, services: Services): void {
  const reason = reasonOf(outcome)
  const name = outcome.page === 'redirect' ? redirectEvents[outcome.step] : endEvents[reason]
  if (name === undefined) return
  const about = 'about' in outcome ? outcome.about : undefined
  services.events.record({
    name,
    at: services.clock.now(),
    resetId: about?.id ?? null,
    userId: about?.userId ?? null,
    subjectKey: about?.subjectKey ?? null,
    client: truncatedNetwork(request.raw?.ip ?? ''),
    reason,
  })
}

function reasonOf(outcome: Outcome): string {
  if (outcome.page === 'error') return outcome.reason
  return 'problems' in outcome ? (outcome.problems[0]?.reason ?? '') : ''
}
