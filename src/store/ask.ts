import type { Transaction } from 'kysely'
import { queueJob, toReset } from './rows.ts'
import type { ResetRow, TableNames, Tables } from './schema.ts'
import type { Ask, Reset } from './store.ts'

/** The one transaction of a request: the same statements whether or not an account has the address. */
export class AskTransaction {
  readonly #tables: Transaction<Tables>
  readonly #names: TableNames
  readonly #ask: Ask

  constructor(tables: Transaction<Tables>, names: TableNames, ask: Ask) {
    this.#tables = tables
    this.#names = names
    this.#ask = ask
  }

  async run(): Promise<Reset> {
    const open = await this.#findOpen()
    const isGranted = await this.#isWithinLimits()
    // A refused request makes nothing new: the visitor keeps the reset that was mailed last.
    const isKept = open !== null && (this.#ask.now < halfLife(open) || !isGranted)
    const reset = isKept ? open : await this.#make(open)
    if (isGranted) await this.#queueLink(reset)
    return reset
  }

  /** The address's live reset; one that has expired is ended first, so that it stays ended. */
  async #findOpen(): Promise<Reset | null> {
    const { addressKeys, now } = this.#ask
    await this.#tables
      .updateTable(this.#names.reset)
      .set((row) => ({ state: 'expired', ended_at: row.ref('expires_at') }))
      .where('address_key', 'in', addressKeys)
      .where('state', '=', 'live')
      .where('expires_at', '<=', now)
      .execute()
    const row = await this.#tables
      .selectFrom(this.#names.reset)
      .selectAll()
      .where('address_key', 'in', addressKeys)
      .where('state', '=', 'live')
      .orderBy('created_at', 'desc')
      .executeTakeFirst()
    return row ? toReset(row) : null
  }

  /** Whether every limit still has room, counted from the mails that were granted. */
  async #isWithinLimits(): Promise<boolean> {
    const { limits, subjectKeys, now } = this.#ask
    if (limits.length === 0) return true
    const recent = await this.#tables
      .selectFrom(this.#names.job)
      .select('created_at')
      .where('subject_key', 'in', subjectKeys)
      .where('kind', '=', 'link')
      .where('created_at', '>', now - Math.max(...limits.map((limit) => limit.windowMs)))
      .orderBy('created_at', 'desc')
      .limit(Math.max(...limits.map((limit) => limit.count)))
      .execute()
    return limits.every(
      ({ count, windowMs }) =>
        recent.filter((job) => job.created_at > now - windowMs).length < count,
    )
  }

  async #make(old: Reset | null): Promise<Reset> {
    const { id, tokenHash, reference, subjectKeys, addressKeys, locale, now, lifetimeMs } =
      this.#ask
    if (old !== null) {
      await this.#tables
        .updateTable(this.#names.reset)
        .set({ state: 'replaced', ended_at: now })
        .where('id', '=', old.id)
        .execute()
    }
    const row: ResetRow = {
      id,
      token_hash: tokenHash,
      reference,
      subject_key: subjectKeys[0] ?? '',
      address_key: addressKeys[0] ?? '',
      user_id: null,
      account_mark: null,
      locale,
      state: 'live',
      created_at: now,
      expires_at: now + lifetimeMs,
      ended_at: null,
    }
    await this.#tables.insertInto(this.#names.reset).values(row).execute()
    return toReset(row)
  }

  async #queueLink(reset: Reset): Promise<void> {
    const { jobId, subjectKeys, sealedAddress, now } = this.#ask
    await queueJob(this.#tables, this.#names, {
      id: jobId,
      kind: 'link',
      reset_id: reset.id,
      subject_key: subjectKeys[0] ?? '',
      sealed_address: sealedAddress,
      created_at: now,
      expires_at: reset.expiresAt,
      due_at: now,
    })
  }
}

function halfLife(reset: Reset): number {
  return (reset.createdAt + reset.expiresAt) / 2
}
