import type { Transaction } from 'kysely'
import type { RecoveryEvent } from '../events.ts'
import { insertEvent } from './audit.ts'
import { codeFor, renew } from './codes.ts'
import { liveFirst, queueJob, toReset } from './rows.ts'
import type { ResetRow, TableNames, Tables } from './schema.ts'
import type { Keys, Requested, Reset, ResetRequest } from './store.ts'

/** What a visitor is shown of a reset. */
type Shown = Pick<Reset, 'reference' | 'createdAt' | 'expiresAt' | 'code'>

/**
 * The one transaction of a request: the same statements whether or not an account has the address. A
 * request beyond a limit makes nothing new, so that the visitor keeps the reset that was mailed last.
 */
export async function requestReset(
  tables: Transaction<Tables>,
  names: TableNames,
  request: ResetRequest,
): Promise<Requested> {
  const newest = await findNewest(tables, names, request)
  const isGranted = await isWithinLimits(tables, names, request)
  const isShownAgain =
    newest !== null && (isYoung(newest, request) || (!isGranted && request.now < newest.expiresAt))
  const isKept = isShownAgain && newest.state === 'live'
  if (!isKept) await endLive(tables, names, request)
  const reset = isKept ? newest : await make(tables, names, request, isShownAgain ? newest : null)
  const name = isGranted ? 'requested' : 'suppressed'
  await recordRequest(tables, names, request, { name, resetId: reset.id, reason: '' })
  const shown = isGranted ? await grant(tables, names, request, reset) : reset
  return { ...shown, isGranted }
}

/** A new reset whatever there is, that no mail is owed for. */
export async function issueReset(
  tables: Transaction<Tables>,
  names: TableNames,
  request: ResetRequest,
): Promise<Reset> {
  await findNewest(tables, names, request)
  await endLive(tables, names, request)
  const reset = await make(tables, names, request, null)
  await recordRequest(tables, names, request, {
    name: 'requested',
    resetId: reset.id,
    reason: 'support',
  })
  return reset
}

/** A new reset whatever there is, that looks like the newest one and takes over its mail. */
export async function restartReset(
  tables: Transaction<Tables>,
  names: TableNames,
  request: ResetRequest,
): Promise<Reset> {
  await endLive(tables, names, request)
  const newest = await findNewest(tables, names, request)
  const reset = await renew(tables, names, request, await make(tables, names, request, newest))
  await tables
    .updateTable(names.job)
    .set({ reset_id: reset.id, expires_at: mailEnd(reset, request) })
    .where('id', '=', request.jobId)
    .execute()
  return reset
}

function recordRequest(
  tables: Transaction<Tables>,
  names: TableNames,
  { now: at, subjectKeys: [subjectKey], client }: ResetRequest,
  what: Pick<RecoveryEvent, 'name' | 'resetId' | 'reason'>,
): Promise<void> {
  return insertEvent(tables, names, { ...what, at, userId: null, subjectKey, client })
}

/** The address's newest reset in any state; one that has expired is ended first, so that it stays ended. */
async function findNewest(
  tables: Transaction<Tables>,
  names: TableNames,
  { subjectKeys, now }: ResetRequest,
): Promise<Reset | null> {
  await keyAnew(tables, names, subjectKeys)
  await tables
    .updateTable(names.reset)
    .set((row) => ({ state: 'expired', ended_at: row.ref('expires_at') }))
    .where('subject_key', 'in', subjectKeys)
    .where('state', '=', 'live')
    .where('expires_at', '<=', now)
    .execute()
  const row = await tables
    .selectFrom(names.reset)
    .selectAll()
    .where('subject_key', 'in', subjectKeys)
    .orderBy(liveFirst)
    .orderBy('made_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row ? toReset(row) : null
}

// Two processes read their clocks and then take turns: the later one may have read the earlier time. What is
// further in the future than that is of a clock that was wrong.
const clockSlackMs = 60_000

/** Whether a reset is in the first half of its life. */
function isYoung({ createdAt, expiresAt }: Shown, { now }: ResetRequest): boolean {
  return createdAt <= now + clockSlackMs && now < (createdAt + expiresAt) / 2
}

/** Under the newest secret: what is counted by an address is found by one key. */
async function keyAnew(
  tables: Transaction<Tables>,
  names: TableNames,
  [newest, ...older]: Keys,
): Promise<void> {
  if (older.length === 0) return
  await tables
    .updateTable(names.reset)
    .set({ subject_key: newest })
    .where('subject_key', 'in', older)
    .execute()
}

/** Whether every limit still has room, counted from the mails that were granted. */
async function isWithinLimits(
  tables: Transaction<Tables>,
  names: TableNames,
  { limits, subjectKeys, now }: ResetRequest,
): Promise<boolean> {
  if (limits.length === 0) return true
  const recent = await tables
    .selectFrom(names.job)
    .select('created_at')
    .where('subject_key', 'in', subjectKeys)
    .where('kind', '<>', 'changed')
    .where('created_at', '>', now - Math.max(...limits.map((limit) => limit.windowMs)))
    .where('created_at', '<=', now + clockSlackMs)
    .orderBy('created_at', 'desc')
    .limit(Math.max(...limits.map((limit) => limit.count)))
    .execute()
  return limits.every(
    ({ count, windowMs }) => recent.filter((job) => job.created_at > now - windowMs).length < count,
  )
}

async function endLive(
  tables: Transaction<Tables>,
  names: TableNames,
  { subjectKeys, now }: ResetRequest,
): Promise<void> {
  await tables
    .updateTable(names.reset)
    .set({ state: 'replaced', ended_at: now })
    .where('subject_key', 'in', subjectKeys)
    .where('state', '=', 'live')
    .execute()
}

/** Makes a live reset; it looks like `shown` where that is given. */
async function make(
  tables: Transaction<Tables>,
  names: TableNames,
  request: ResetRequest,
  shown: Shown | null,
): Promise<Reset> {
  const expiresAt = shown?.expiresAt ?? request.now + request.lifetimeMs
  const code = shown?.code ?? codeFor({ code: null, expiresAt }, request)
  const row: ResetRow = {
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
  await tables.insertInto(names.reset).values(row).execute()
  return toReset(row)
}

/** Queues the mail of a reset, and renews the code for it. */
async function grant(
  tables: Transaction<Tables>,
  names: TableNames,
  request: ResetRequest,
  reset: Reset,
): Promise<Reset> {
  const renewed = await renew(tables, names, request, reset)
  await queueJob(tables, names, {
    id: request.jobId,
    kind: 'recovery',
    reset_id: reset.id,
    subject_key: request.subjectKeys[0],
    sealed_address: request.sealedAddress,
    locale: request.locale,
    created_at: request.now,
    expires_at: mailEnd(renewed, request),
    due_at: request.now,
  })
  return renewed
}

/** When a mail is of no use any more: with its link, or with its code where that comes alone. */
function mailEnd({ expiresAt, code }: Reset, { code: rules }: ResetRequest): number {
  return rules?.isAlone === true && code !== null ? code.expiresAt : expiresAt
}
