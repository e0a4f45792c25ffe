import { domainOf } from '../address.ts'
import { showReference } from '../proof/reference.ts'
import type { KeyRing } from '../proof/secret.ts'
import type { QueuedMail } from '../store/mail.ts'
import { shownId, table } from './table.ts'

/** One line for each mail. */
export function mailTable(mails: readonly QueuedMail[], now: number): string {
  if (mails.length === 0) return 'There is none.\n'
  const head = ['reference', 'kind', 'state', 'tries', 'age', 'next', 'id', 'why']
  const rows = mails.map((mail) => [
    showReference(mail.reference),
    mail.kind,
    mail.state,
    String(mail.attempts),
    span(now - mail.createdAt),
    next(mail, now),
    shownId(mail.id),
    mail.lastError ?? '',
  ])
  return table(head, rows)
}

/** Everything about one mail. */
export function describeMail(mail: QueuedMail, to: string | null, now: number): string {
  const lines = {
    reference: showReference(mail.reference),
    id: mail.id,
    kind: mail.kind,
    to: to ?? 'not kept any more',
    language: mail.locale,
    state: mail.state,
    tries: mail.attempts,
    asked: instant(mail.createdAt),
    'too late': instant(mail.expiresAt),
    next: next(mail, now),
    ended: mail.endedAt === null ? '' : instant(mail.endedAt),
    why: mail.lastError ?? '',
  }
  return Object.entries(lines)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name.padEnd(11)}${value}\n`)
    .join('')
}

/** `m…@site.example`: enough to know again who asks for help, too little for a list of addresses. */
export function masked({ sealedAddress }: QueuedMail, keys: KeyRing): string | null {
  const address = sealedAddress && keys.open('recipient', sealedAddress)
  return address ? `${address.slice(0, 1)}…@${domainOf(address)}` : null
}

function next({ state, dueAt }: QueuedMail, now: number): string {
  if (state === 'sending') return 'now'
  if (state !== 'queued') return ''
  return dueAt <= now ? 'due' : `in ${span(dueAt - now)}`
}

function instant(time: number): string {
  return new Date(time).toISOString()
}

function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return `${Math.round(seconds / 3600)} h`
}
