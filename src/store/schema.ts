import type { Selectable } from 'kysely'
import type { EventName } from '../events.ts'
import type { JobKind, JobState } from './mail.ts'
import type { ResetState } from './store.ts'

/** The tables as they are stored; every time is milliseconds since the Unix epoch, UTC. */
export interface Tables {
  password_reset: {
    id: string
    token_hash: string
    reference: string
    subject_key: string
    user_id: string | null
    account_mark: string | null
    locale: string
    state: ResetState
    /** When the row was made: it may look older than it is, in the place of another. */
    made_at: number
    created_at: number
    expires_at: number
    /** When it stopped being live. */
    ended_at: number | null
    code_generation: number
    code_expires_at: number | null
    /** Tries at the code of this generation. */
    code_tries: number
    /** Tries at all of its codes. */
    tries: number
    tried_at: number | null
  }
  mail_job: {
    id: string
    kind: JobKind
    reset_id: string
    subject_key: string
    sealed_address: string | null
    locale: string
    state: JobState
    attempts: number
    created_at: number
    expires_at: number
    /** When it is to be tried; while it is being sent, when its lease runs out. */
    due_at: number
    ended_at: number | null
    last_error: string | null
  }
  audit_event: {
    id: string
    event: EventName
    at: number
    reset_id: string | null
    user_id: string | null
    subject_key: string | null
    client: string
    reason: string
    /** When the site's endpoint was told; and when it is to be tried next. */
    told_at: number | null
    due_at: number
  }
  /** Windows of time, each begun by the first act that is counted in it. */
  rate_limit: {
    key: string
    points: number
    /** When the window ends. */
    expire: number
  }
  key_mark: {
    /** Stands for a secret that links and codes are made with. */
    id: string
    /** When a process has last said that it makes them with this one. */
    used_at: number
  }
}

export type ResetRow = Selectable<Tables['password_reset']>
export type AuditRow = Selectable<Tables['audit_event']>
export type JobRow = Selectable<Tables['mail_job']>

/** The tables' names in one database, typed as the tables they name. */
export interface TableNames {
  readonly reset: 'password_reset'
  readonly job: 'mail_job'
  readonly audit: 'audit_event'
  readonly key: 'key_mark'
}

export function tableNames(prefix: string): TableNames {
  return {
    reset: `${prefix}password_reset` as 'password_reset',
    job: `${prefix}mail_job` as 'mail_job',
    audit: `${prefix}audit_event` as 'audit_event',
    key: `${prefix}key_mark` as 'key_mark',
  }
}

/** The table of what clients did: not one of {@link TableNames}, since nobody's is kept when a store is moved. */
export function limitTable(prefix: string): 'rate_limit' {
  return `${prefix}rate_limit` as 'rate_limit'
}
