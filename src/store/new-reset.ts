import { clockSlackMs } from '../clock.ts'
import { codeFor } from './codes.ts'
import type { ResetRow } from './schema.ts'
import type { Reset, ResetRequest } from './store.ts'

/** What a visitor is shown of a reset. */
export type Shown = Pick<Reset, 'reference' | 'createdAt' | 'expiresAt' | 'code'>

/** A live reset; it looks like `shown` where that is given. */
export function newRow(request: ResetRequest, shown: Shown | null): ResetRow {
  const expiresAt = shown?.expiresAt ?? request.now + request.lifetimeMs
  const code = shown?.code ?? codeFor({ code: null, expiresAt }, request)
  return {
    id: request.id,
    token_hash: request.tokenHash,
    reference: shown?.reference ?? request.reference,
    subject_key: request.subjectKeys[0],
    user_id: null,
    account_mark: null,
    locale: request.locale,
    state: 'live',
    made_at: request.now,
    created_at: shown?.createdAt ?? request.now,
    expires_at: expiresAt,
    ended_at: null,
    code_generation: code?.generation ?? 0,
    code_expires_at: code?.expiresAt ?? null,
    code_tries: code?.tries ?? 0,
    tries: 0,
    tried_at: null,
  }
}

/** Whether a reset is in the first half of its life. */
export function isYoung({ createdAt, expiresAt }: Shown, { now }: ResetRequest): boolean {
  return createdAt <= now + clockSlackMs && now < (createdAt + expiresAt) / 2
}

/** When a mail is of no use any more: with its link, or with its code where that comes alone. */
export function mailEnd({ expiresAt, code }: Reset, { code: rules }: ResetRequest): number {
  return rules?.isAlone === true && code !== null ? code.expiresAt : expiresAt
}
