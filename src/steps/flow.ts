import { parseCookie, stringifySetCookie } from 'cookie'
import { header, type ServerRequest } from '../action.ts'
import type { Config } from '../config/config.ts'
import { type KeyRing, randomId } from '../proof/secret.ts'
import type { Services } from '../services.ts'

/**
 * Where one visitor is, kept in a cookie that only the server can read or write. It holds no secret: a
 * proof is the statement that one was shown, and is checked against the store each time.
 */
export interface Flow {
  /** Binds the reset form to this flow. */
  readonly id: string
  readonly locale: string
  /** The address the visitor typed, or that of the account whose link was opened; `''` at the end. */
  readonly email: string
  /** The reset this is about; `null` when there is none. */
  readonly resetId: string | null
  /** Whether the visitor has shown that the mailbox is theirs. */
  readonly isProven: boolean
  readonly reference: string
  /** When the mailed link stops working. */
  readonly linkExpiresAt: number
  /** When the mailed code stops working; `null` when there is none. */
  readonly codeExpiresAt: number | null
  /** Whether the mail was asked for again. */
  readonly isResent: boolean
  readonly startedAt: number
}

/** What it takes to read or write a flow. */
export type FlowServices = Pick<Services, 'config' | 'clock' | 'keys'>

// OWASP ASVS 3.3: short-lived. The visitor comes back through the link in the mail anyway.
const longestFlowSeconds = 3600

export function newFlow(
  { clock }: Pick<Services, 'clock'>,
  start: Pick<Flow, 'email' | 'locale'> & Partial<Flow>,
): Flow {
  return {
    id: randomId(),
    resetId: null,
    isProven: false,
    reference: '',
    linkExpiresAt: 0,
    codeExpiresAt: null,
    isResent: false,
    startedAt: clock.now(),
    ...start,
  }
}

/** The visitor's flow, or `null` when there is none, it is too old, or was not sealed by this site. */
export function readFlow(request: ServerRequest, services: FlowServices): Flow | null {
  const sealed = parseCookie(header(request, 'cookie'))[cookieName(services.config)]
  const text = sealed === undefined ? null : services.keys.open('flow', sealed)
  if (text === null) return null
  const flow = JSON.parse(text) as Flow
  const age = services.clock.now() - flow.startedAt
  return age > longestFlowSeconds * 1000 ? null : flow
}

/** The `Set-Cookie` that keeps a flow. */
export function flowCookie(services: FlowServices, flow: Flow): string {
  return stringifySetCookie({
    name: cookieName(services.config),
    value: services.keys.seal('flow', JSON.stringify(flow)),
    path: '/',
    httpOnly: true,
    // Strict would be lost on the click from a web mail; Lax is not sent by a foreign site's form.
    sameSite: 'lax',
    secure: services.config.isSecure,
    maxAge: longestFlowSeconds,
  })
}

/** What the reset form must send back: nobody without this flow's cookie can know it. */
export function formToken(keys: KeyRing, flow: Flow): string {
  return keys.mac('form', flow.id)
}

/** Whether a reset form sent back what it was given, under whichever secret that was. */
export function isFormToken(keys: KeyRing, flow: Flow, token: string): boolean {
  return keys.verifies('form', flow.id, token)
}

// The prefix makes browsers refuse the cookie from any other host or an insecure page (RFC 6265bis §4.1.3).
function cookieName({ isSecure }: Config): string {
  return isSecure ? '__Host-forgot' : 'forgot'
}
