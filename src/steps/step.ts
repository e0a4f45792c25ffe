import { field, has } from '../action.ts'
import { isForeign } from '../origin.ts'
import type { Services } from '../services.ts'
import { changePassword, showDone } from './change.ts'
import { showForm } from './form.ts'
import { openLink, showReset } from './open.ts'
import { failure, type NamedStep, type Outcome } from './outcome.ts'
import { recordOutcome } from './record.ts'
import { requestReset, resend, showSent } from './request.ts'
import { revoke, showRevoke, showRevoked } from './revoke.ts'
import { showCode, verifyCode } from './verify.ts'
import type { Visit } from './visit.ts'

interface Step {
  readonly method: 'GET' | 'POST'
  /** Whether the request's data asks for this step. */
  readonly when: (visit: Visit) => boolean
  readonly take: (visit: Visit, services: Services) => Promise<Outcome> | Outcome
}

const names = (step: NamedStep) => (visit: Visit) => field(visit.request, 'step') === step
const holds = (name: string) => (visit: Visit) => has(visit.request, name)
const always = () => true

/** The flow. The first step whose data is there is taken: the further a visitor has come, the earlier. */
const steps: readonly Step[] = [
  { method: 'POST', when: holds('revoke'), take: revoke },
  { method: 'POST', when: holds('password'), take: changePassword },
  { method: 'POST', when: holds('code'), take: verifyCode },
  { method: 'POST', when: holds('resend'), take: resend },
  { method: 'POST', when: always, take: requestReset },
  { method: 'GET', when: holds('revoke'), take: showRevoke },
  { method: 'GET', when: holds('token'), take: openLink },
  { method: 'GET', when: names('reset'), take: showReset },
  { method: 'GET', when: names('sent'), take: showSent },
  { method: 'GET', when: names('code'), take: showCode },
  { method: 'GET', when: names('revoked'), take: showRevoked },
  { method: 'GET', when: names('done'), take: showDone },
  { method: 'GET', when: always, take: showForm },
]

/** Takes the step a visit asks for, and records what became of it. */
export async function takeStep(visit: Visit, services: Services): Promise<Outcome> {
  const outcome = await pickStep(visit, services)
  recordOutcome(outcome, visit, services)
  return outcome
}

async function pickStep(visit: Visit, services: Services): Promise<Outcome> {
  const method = visit.request.method === 'HEAD' ? 'GET' : visit.request.method
  if (method === 'POST' && isForeign(visit.request, services.config.site.url)) {
    return failure('cross-site')
  }
  const step = steps.find((each) => each.method === method && each.when(visit))
  return step === undefined ? failure('method-not-allowed') : step.take(visit, services)
}
