import { field, has, type ServerRequest } from '../action.ts'
import { isForeign } from '../origin.ts'
import type { Services } from '../services.ts'
import { changePassword, showDone } from './change.ts'
import { showForm } from './form.ts'
import { openLink, showReset } from './open.ts'
import { failure, type Outcome } from './outcome.ts'
import { requestReset, resend, showSent } from './request.ts'

interface Step {
  readonly method: 'GET' | 'POST'
  /** Whether the request's data asks for this step. */
  readonly when: (request: ServerRequest) => boolean
  readonly take: (request: ServerRequest, services: Services) => Promise<Outcome> | Outcome
}

const names = (name: string) => (request: ServerRequest) => field(request, 'step') === name
const holds = (name: string) => (request: ServerRequest) => has(request, name)
const always = () => true

/** The flow. The first step whose data is there is taken: the further a visitor has come, the earlier. */
export const steps: readonly Step[] = [
  { method: 'POST', when: holds('password'), take: changePassword },
  { method: 'POST', when: holds('resend'), take: resend },
  { method: 'POST', when: always, take: requestReset },
  { method: 'GET', when: holds('token'), take: openLink },
  { method: 'GET', when: names('reset'), take: showReset },
  { method: 'GET', when: names('sent'), take: showSent },
  { method: 'GET', when: names('done'), take: showDone },
  { method: 'GET', when: always, take: showForm },
]

/** Takes the step a request asks for. */
export async function takeStep(request: ServerRequest, services: Services): Promise<Outcome> {
  const method = request.method === 'HEAD' ? 'GET' : request.method
  if (method === 'POST' && isForeign(request, services.config.site.url))
    return failure('cross-site')
  const step = steps.find((each) => each.method === method && each.when(request))
  return step === undefined ? failure('method-not-allowed') : step.take(request, services)
}
