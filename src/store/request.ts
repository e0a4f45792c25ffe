import type { Kysely, Transaction } from 'kysely'
import type { RecoveryEvent } from '../events.ts'
import { newEvent } from './audit.ts'
import type { Codes } from './codes.ts'
import { Granted } from './granted.ts'
import { isYoung, mailEnd, newRow, type Shown } from './new-reset.ts'
import { newJob, toReset } from './rows.ts'
import type { ResetRow, TableNames, Tables } from './schema.ts'
import { Insertion, Statement } from './statement.ts'
import type { Keys, Requested, Reset, ResetRequest } from './store.ts'

/** What is done when somebody types an address: each method within one transaction of its own. */
export class ResetRequests {
  readonly #names: TableNames
  readonly #codes: Codes
  readonly #granted: Granted
  readonly #resets: Insertion<Tables, 'password_reset'>
  readonly #jobs: Insertion<Tables, 'mail_job'>
  readonly #events: Insertion<Tables, 'audit_event'>

  constructor(names: TableNames, codes: Codes) {
    this.#names = names
    this.#codes = codes
    this.#granted = new Granted(names)
    this.#resets = new Insertion(names.reset)
    this.#jobs = new Insertion(names.job)
    this.#events = new Insertion(names.audit)
  }

  /**
   * The same statements whether or not an account has the address. A request beyond a limit makes nothing new, so
   * that the visitor keeps the reset that was mailed last.
   */
  async request(tables: Transaction<Tables>, request: ResetRequest): Promise<Requested> {
    const newest = await this.#findNewest(tables, request)
    const isGranted = await this.#granted.isWithin(tables, request)
    const isShownAgain =
      newest !== null &&
      (isYoung(newest, request) || (!isGranted && request.now < newest.expiresAt))
    const isKept = isShownAgain && newest.state === 'live'
    if (!isKept) await this.#endLive(tables, request, newest)
    const reset = isKept ? newest : await this.#make(tables, request, isShownAgain ? newest : null)
    const name = isGranted ? 'requested' : 'suppressed'
    await this.#record(tables, request, { name, resetId: reset.id, reason: '' })
    const shown = isGranted ? await this.#grant(tables, request, reset) : reset
    return { ...shown, isGranted }
  }

  /** A new reset whatever there is, that no mail is owed for. */
  async issue(tables: Transaction<Tables>, request: ResetRequest): Promise<Reset> {
    await this.#endLive(tables, request, await this.#findNewest(tables, request))
    const reset = await this.#make(tables, request, null)
    const about = { resetId: reset.id, reason: 'support' }
    await this.#record(tables, request, { name: 'requested', ...about })
    return reset
  }

  /** A new reset whatever there is, that looks like the newest one and takes over its mail. */
  async restart(tables: Transaction<Tables>, request: ResetRequest): Promise<Reset> {
    const newest = await this.#findNewest(tables, request)
    await this.#endLive(tables, request, newest)
    const made = await this.#make(tables, request, newest)
    const reset = await this.#codes.renew(tables, request, made)
    await tables
      .updateTable(this.#names.job)
      .set({ reset_id: reset.id, expires_at: mailEnd(reset, request) })
      .where('id', '=', request.jobId)
      .execute()
    return reset
  }

  #record(
    tables: Transaction<Tables>,
    { now: at, subjectKeys: [subjectKey], client }: ResetRequest,
    what: Pick<RecoveryEvent, 'name' | 'resetId' | 'reason'>,
  ): Promise<void> {
    return this.#events.add(tables, newEvent({ ...what, at, userId: null, subjectKey, client }))
  }

  readonly #newest = new Statement((tables: Kysely<Tables>, given: { subject: string }) =>
    tables
      .selectFrom(this.#names.reset)
      .selectAll()
      .where('subject_key', '=', given.subject)
      .orderBy('made_at', 'desc')
      .limit(1),
  )

  readonly #newestLive = new Statement((tables: Kysely<Tables>, given: { subject: string }) =>
    tables
      .selectFrom(this.#names.reset)
      .selectAll()
      .where('subject_key', '=', given.subject)
      .where('state', '=', 'live')
      .orderBy('made_at', 'desc')
      .limit(1),
  )

  readonly #expire = new Statement(
    (tables: Kysely<Tables>, given: { subject: string; now: number }) =>
      tables
        .updateTable(this.#names.reset)
        .set((row) => ({ state: 'expired', ended_at: row.ref('expires_at') }))
        .where('subject_key', '=', given.subject)
        .where('state', '=', 'live')
        .where('expires_at', '<=', given.now),
  )

  /** The address's newest reset in any state; one that has expired is ended first, so that it stays ended. */
  async #findNewest(
    tables: Transaction<Tables>,
    { subjectKeys, now }: ResetRequest,
  ): Promise<Reset | null> {
    await this.#keyAnew(tables, subjectKeys)
    const [subject] = subjectKeys
    const row = await this.#findRow(tables, subject)
    const hasExpired = row?.state === 'live' && row.expires_at <= now
    if (!hasExpired) return row ? toReset(row) : null
    await this.#expire.change(tables, { subject, now })
    const ended = await this.#findRow(tables, subject)
    return ended ? toReset(ended) : null
  }

  /** One that a wrong clock has put into the future must not hide the one that is live. */
  async #findRow(tables: Transaction<Tables>, subject: string): Promise<ResetRow | undefined> {
    const newest = await this.#newest.first(tables, { subject })
    if (newest === undefined || newest.state === 'live') return newest
    return (await this.#newestLive.first(tables, { subject })) ?? newest
  }

  /** Under the newest secret: what is found, and counted, by an address is found by one key. */
  async #keyAnew(tables: Transaction<Tables>, [newest, ...older]: Keys): Promise<void> {
    if (older.length === 0) return
    for (const table of [this.#names.reset, this.#names.job] as const) {
      await tables
        .updateTable(table as 'mail_job')
        .set({ subject_key: newest })
        .where('subject_key', 'in', older)
        .execute()
    }
  }

  readonly #replace = new Statement(
    (tables: Kysely<Tables>, given: { subject: string; now: number }) =>
      tables
        .updateTable(this.#names.reset)
        .set({ state: 'replaced', ended_at: given.now })
        .where('subject_key', '=', given.subject)
        .where('state', '=', 'live'),
  )

  /** @param newest The one that is live, if any is. */
  async #endLive(
    tables: Transaction<Tables>,
    { subjectKeys: [subject], now }: ResetRequest,
    newest: Reset | null,
  ): Promise<void> {
    if (newest?.state === 'live') await this.#replace.change(tables, { subject, now })
  }

  /** Makes a live reset; it looks like `shown` where that is given. */
  async #make(
    tables: Transaction<Tables>,
    request: ResetRequest,
    shown: Shown | null,
  ): Promise<Reset> {
    const row = newRow(request, shown)
    await this.#resets.add(tables, row)
    return toReset(row)
  }

  /** Queues the mail of a reset, and renews the code for it. */
  async #grant(tables: Transaction<Tables>, request: ResetRequest, reset: Reset): Promise<Reset> {
    const renewed = await this.#codes.renew(tables, request, reset)
    const job = newJob({
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
    await this.#jobs.add(tables, job)
    return renewed
  }
}
