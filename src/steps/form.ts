import { field, type ServerRequest } from '../action.ts'
import { parseAddress } from '../address.ts'
import type { Outcome } from './outcome.ts'

/** `GET B`: the first page; a login page may pass on the address that was typed there. */
export function showForm(request: ServerRequest): Outcome {
  return { page: 'form', email: parseAddress(field(request, 'email')) ?? '', problems: [] }
}
