import { type EventName, eventNames } from './events.ts'
import type { MailOutcome } from './mail/delivery.ts'
import type { QueueTotals } from './store/mail.ts'

/** What this process has done since its start, and what is in the queue, in the text format of Prometheus. */
export class Metrics {
  readonly #mails: Record<MailOutcome, number> = { sent: 0, retried: 0, dropped: 0, dead: 0 }
  readonly #events = new Map<EventName, number>(eventNames.map((name) => [name, 0]))

  countMail(outcome: MailOutcome): void {
    this.#mails[outcome] += 1
  }

  countEvent(name: EventName): void {
    this.#events.set(name, (this.#events.get(name) ?? 0) + 1)
  }

  /** @param queue `null` when the store did not answer: then there is nothing to tell of it. */
  async render(queue: QueueTotals | null): Promise<string> {
    const { sent, retried, dropped, dead } = this.#mails
    const events = [...this.#events].map(([name, count]) => [`{event="${name}"}`, count] as const)
    return [
      ...(queue === null ? [] : queueMetrics(queue)),
      metric('forgot_mail_sent_total', 'counter', 'Mails accepted by the mail server.', sent),
      metric(
        'forgot_mail_retried_total',
        'counter',
        'Tries that failed, with another to come.',
        retried,
      ),
      metric(
        'forgot_mail_dropped_total',
        'counter',
        'Jobs that nobody was to be mailed for.',
        dropped,
      ),
      metric('forgot_mail_dead_total', 'counter', 'Mails given up.', dead),
      metric('forgot_events_total', 'counter', 'What happened to recoveries.', events),
    ].join('')
  }
}

function queueMetrics(queue: QueueTotals): string[] {
  const { oldestMs, ...states } = queue
  const oldestSeconds = (oldestMs ?? 0) / 1000
  const jobs = Object.entries(states).map(
    ([state, count]) => [`{state="${state}"}`, count] as const,
  )
  return [
    metric('forgot_mail_queued', 'gauge', 'Mails owed.', queue.queued + queue.sending),
    metric('forgot_mail_oldest_seconds', 'gauge', 'Age of the oldest mail owed.', oldestSeconds),
    metric('forgot_mail_jobs', 'gauge', 'Mail jobs in the store, by state.', jobs),
  ]
}

type Samples = number | readonly (readonly [labels: string, value: number])[]

function metric(name: string, type: 'counter' | 'gauge', help: string, samples: Samples): string {
  const list = typeof samples === 'number' ? [['', samples] as const] : samples
  const lines = list.map(([labels, value]) => `${name}${labels} ${value}\n`)
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}
