import type { PasswordReason } from '../password/passwords.ts'
import type { Reset } from '../store/store.ts'
import type { Flow } from './flow.ts'

/** The pages that an address may ask for by `?step=`; all others come of what is sent. */
export const namedSteps = ['sent', 'code', 'reset', 'done', 'revoked'] as const

export type NamedStep = (typeof namedSteps)[number]

/** What can be wrong with one field; its text is `reason.<reason>` in the locale files. */
export type FieldReason =
  | 'email-missing'
  | 'email-invalid'
  | 'code-missing'
  | 'code-malformed'
  | 'code-wrong'
  | 'code-expired'
  | 'reference-missing'
  | 'reference-unknown'
  | 'password-mismatch'
  | 'page-outdated'
  | PasswordReason

/** Why there is an error page; its texts are `reason.<reason>` in the locale files. */
export type ErrorReason =
  | 'code-locked'
  | 'codes-off'
  | 'link-expired'
  | 'link-used'
  | 'link-replaced'
  | 'link-invalid'
  | 'page-expired'
  | 'cross-site'
  | 'too-many-requests'
  | 'unavailable'
  | 'internal'
  | 'bad-request'
  | 'not-found'
  | 'method-not-allowed'
  | 'too-large'
  | 'unsupported-type'

export type Reason = FieldReason | ErrorReason

/** One thing to mend, and the field it is about; `null` when it is about the page. */
export interface Problem {
  readonly field: 'email' | 'code' | 'reference' | 'password' | 'confirm' | null
  readonly reason: FieldReason
  readonly values?: Readonly<Record<string, number>>
}

/** The status of each error page: what was is 410, what never was is 404 (RFC 9110 §15.5.5, §15.5.11). */
export const errorStatus: Readonly<Record<ErrorReason, number>> = {
  'code-locked': 429,
  'codes-off': 503,
  'link-expired': 410,
  'link-used': 410,
  'link-replaced': 410,
  'link-invalid': 404,
  'page-expired': 410,
  'cross-site': 403,
  'too-many-requests': 429,
  unavailable: 503,
  internal: 500,
  'bad-request': 400,
  'not-found': 404,
  'method-not-allowed': 405,
  'too-large': 413,
  'unsupported-type': 415,
}

interface FormPage {
  readonly page: 'form'
  /** What the visitor has typed, or the login page passed on. */
  readonly email: string
  readonly problems: readonly Problem[]
}

interface SentPage {
  readonly page: 'sent'
  readonly flow: Flow
  readonly problems: readonly Problem[]
  /** The reset it is about, for the record. */
  readonly about?: Reset
}

/** The code alone, for a visitor who has gone on in another browser. */
interface CodePage {
  readonly page: 'code'
  /** As it was typed, or came with the link in the mail. */
  readonly reference: string
  readonly problems: readonly Problem[]
  readonly about?: Reset
}

export interface ResetPage {
  readonly page: 'reset'
  readonly flow: Flow
  /** The account's address: people and password managers see whose password it is. */
  readonly account: string
  /** The link's token where it came in the form itself, for browsers without cookies. */
  readonly token: string
  readonly problems: readonly Problem[]
  readonly status?: 400 | 403
}

interface DonePage {
  readonly page: 'done'
}

interface RevokedPage {
  readonly page: 'revoked'
}

interface RevokePage {
  readonly page: 'revoke'
  /** As it came in the mail. */
  readonly token: string
}

export interface ErrorPage {
  readonly page: 'error'
  readonly reason: ErrorReason
  /** A flow that lets one click ask for a new mail, where the address is known. */
  readonly flow?: Flow
  readonly retryAfterMs?: number
  /** What to name when asking for help: it stands in the log beside the cause. */
  readonly incident?: string
  readonly about?: Reset
}

/** POST, then 303, then GET: reloading a page never does a thing twice. */
export interface Redirect {
  readonly page: 'redirect'
  readonly step: 'form' | 'sent' | 'reset' | 'done' | 'revoked'
  /** The flow from here on; without one it stays as it is. */
  readonly flow?: Flow
  /** What a program is told, and a browser need not know. */
  readonly facts?: Facts
  readonly about?: Reset
}

/** What is known once a proof was good. */
export interface Facts {
  /** The account's address. */
  readonly email: string
  /** What the person is called; `''` when that is not known. */
  readonly name: string
  /** What proves the same from now on; `''` once it is spent. */
  readonly token: string
  /** When the password was changed; `null` when it was not. */
  readonly changedAt: number | null
}

/** What a step decided; how it looks is not its business. */
export type Outcome =
  | FormPage
  | SentPage
  | CodePage
  | ResetPage
  | DonePage
  | RevokePage
  | RevokedPage
  | ErrorPage
  | Redirect

/** The status of a page: 400 where something on it is to be mended. */
export function statusOf(shown: Exclude<Outcome, Redirect>): number {
  if (shown.page === 'error') return errorStatus[shown.reason]
  if (shown.page === 'reset' && shown.status !== undefined) return shown.status
  return 'problems' in shown && shown.problems.length > 0 ? 400 : 200
}

export function failure(
  reason: ErrorReason,
  rest: Omit<ErrorPage, 'page' | 'reason'> = {},
): ErrorPage {
  return { page: 'error', reason, ...rest }
}
