import { createHmac } from 'node:crypto'
import type { Milliseconds } from './units.ts'

/** What is posted, and what its receiver can know it again by. */
interface Signable {
  /** The same in every try. */
  readonly id: string
  /** When this try is made. */
  readonly at: Milliseconds
  readonly body: string
}

/** The headers of a JSON body that is signed as Standard Webhooks has it: HMAC-SHA-256 over id, time and body. */
export function signedHeaders({ id, at, body }: Signable, secret: string): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000))
  const signed = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`)
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signed.digest('base64')}`,
  }
}
