import type { Transaction } from 'kysely'
import { queueJob, toReset } from './rows.ts'
import type { ResetRow, TableNames, Tables } from './schema.ts'
import type { Reset, ResetRequest } from './store.ts'

/** What a visitor is shown of a reset. */
type Shown = Pick<Reset, 'reference' | 'createdAt' | 'expiresAt'>

/**
 * The one transaction of a request: the same statements whether or not an account has the address. A
 * request beyond a limit makes nothing new, so that the visitor keeps the reset that was mailed last.
 */
export async function requestReset(
  tables: Transaction<Tables>,
  names: TableNames,
  request: ResetRequest,
): Promise<Reset> {
  const newest = await findNewest(tables, names, request)
  const isGranted = await isWithinLimits(tables, names, request)
  const isShownAgain =
    newest !== null && (isYoung(newest, request) || (!isGranted && request.now < newest.expiresAt))
  if (isShownAgain && newest.state === 'live') {
    if (isGranted) await queueLink(tables, names, request, newest)
    return newest
  }
  await endLive(tables, names, request)
  const reset = await make(tables, names, request, isShownAgain ? newest : null)
  if (isGranted) await queueLink(tables, names, request, reset)
  return reset
}

/** A new reset whatever there is, that looks like the newest one. */
export async function restartReset(
  tables: Transaction<Tables>,
  names: TableNames,
  request: ResetRequest,
): Promise<Reset> {
  const reset = await make(tables, names, request, await findNewest(tables, names, request))
  await queueLink(tables, names, request, reset)
  return reset
}

/** The address's newest reset in any state; one that has expired is ended first, so that it stays ended. */
async function findNewest(
  tables: Transaction<Tables>,
  names: TableNames,
  { subjectKeys, now }: ResetRequest,
): Promise<Reset | null> {
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
    .orderBy('made_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row ? toReset(row) : null
}

/** Whether a reset is in the first half of its life; one from the future is of a clock that was wrong. */
function isYoung({ createdAt, expiresAt }: Shown, { now }: ResetRequest): boolean {
  return createdAt <= now && now < (createdAt + expiresAt) / 2
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
    .where('kind', '=', 'link')
    .where('created_at', '>', now - Math.max(...limits.map((limit) => limit.windowMs)))
    .where('created_at', '<=', now)
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
    expires_at: shown?.expiresAt ?? request.now + request.lifetimeMs,
    ended_at: null,
  }
  await tables.insertInto(names.reset).values(row).execute()
  return toReset(row)
}

async function queueLink(
  tables: Transaction<Tables>,
  names: TableNames,
  request: ResetRequest,
  reset: Reset,
): Promise<void> {
  await queueJob(tables, names, {
    id: request.jobId,
    kind: 'link',
    reset_id: reset.id,
    subject_key: request.subjectKeys[0],
    sealed_address: request.sealedAddress,
    locale: request.locale,
    created_at: request.now,
    expires_at: reset.expiresAt,
    due_at: request.now,
  })
}
