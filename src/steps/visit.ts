import { field, header, type Request, type ServerRequest } from '../action.ts'
import type { Locale } from '../locale/locale.ts'
import type { Locales } from '../locale/locales.ts'
import { type Flow, type FlowServices, readFlow } from './flow.ts'

/** One request, as the steps and the answers see it: read once. */
export interface Visit {
  readonly request: ServerRequest
  /** Where the visitor is; `null` when that is not known. */
  readonly flow: Flow | null
  /** The language of the answer: `?lang=`, else the flow's, else the browser's, else the site's. */
  readonly locale: Locale
}

export function readVisit(
  { request, format }: Pick<Request, 'format' | 'request'>,
  services: FlowServices & { readonly locales: Locales },
): Visit {
  // A program keeps what it is told, and brings its proof along: a cookie would be somebody else's idea.
  const flow = format === 'json' ? null : readFlow(request, services)
  const wishes = [field(request, 'lang'), flow?.locale ?? '']
  return {
    request,
    flow,
    locale: services.locales.choose(wishes, header(request, 'accept-language')),
  }
}
