import { field } from '../action.ts'
import { parseAddress } from '../address.ts'
import type { Outcome } from './outcome.ts'
import type { Visit } from './visit.ts'

/** `GET B`: the first page; a login page may pass on the address that was typed there. */
export function showForm({ request }: Visit): Outcome {
  return { page: 'form', email: parseAddress(field(request, 'email')) ?? '', problems: [] }
}
