import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { firstAnswerMs } from './beside.ts'
import type { Config } from './config/config.ts'
import type { Events, RecoveryEvent } from './events.ts'
import { describeError, type Log } from './log.ts'
import type { Deliverer } from './mail/courier.ts'
import type { MailOutcome } from './mail/delivery.ts'
import type { Metrics } from './metrics.ts'
import type { EventWriter } from './trail.ts'
import type { Milliseconds } from './units.ts'

/** What the thread is told: that there may be mails, to stop, or what has happened and is to be written down. */
export type Order = 'wake' | 'stop' | { readonly happened: readonly RecoveryEvent[] }

/** What the thread reports: a line of the log, what became of a mail, or an event that it has written down. */
export type Report =
  | { readonly outcome: MailOutcome }
  | { readonly level: keyof Log; readonly data: object; readonly message: string }
  | { readonly event: RecoveryEvent }

export interface ThreadParts {
  readonly log: Log
  /** Where events are written down while there is no thread. */
  readonly audit: EventWriter
  readonly events: Events
  readonly metrics: Metrics
}

// What it makes is short-lived: left to itself V8 would give the garbage of two mails some 50 MB.
const resourceLimits = { maxYoungGenerationSizeMb: 4 }
const restartMs = 1000
const wakeMs = 20
const patienceMs = 9000

/**
 * The courier in a thread of its own. Looking an account up and writing its mail takes milliseconds that
 * an address without an account does not cost: on the event loop of the requests, whoever asks again and
 * again could feel them, and tell which addresses have accounts.
 */
export class CourierThread implements Deliverer, EventWriter {
  readonly #config: Config
  readonly #parts: ThreadParts
  #worker: Worker | null = null
  #starting: NodeJS.Timeout | undefined
  #waking: NodeJS.Timeout | null = null
  #isStopping = false

  constructor(config: Config, parts: ThreadParts) {
    this.#config = config
    this.#parts = parts
  }

  start(): void {
    this.#startIn(firstAnswerMs)
  }

  #start(): void {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const url = new URL(`./courier-worker.${extension}`, import.meta.url)
    const worker = new Worker(url, { workerData: this.#config, resourceLimits })
    worker.on('message', (report: Report) => this.#pass(report))
    worker.on('error', (error) => {
      this.#parts.log.error({ error: describeError(error) }, 'the courier has failed')
    })
    worker.on('exit', () => {
      this.#worker = null
      // The jobs it held are due again when their leases run out.
      if (!this.#isStopping) this.#startIn(restartMs)
    })
    this.#worker = worker
  }

  /** Once for all who ask within a moment. */
  wake(): void {
    this.#waking ??= setTimeout(() => {
      this.#waking = null
      this.#worker?.postMessage('wake' satisfies Order)
    }, wakeMs).unref()
  }

  /** Has events written down there, where no request waits for that. */
  async add(happened: readonly RecoveryEvent[]): Promise<readonly RecoveryEvent[]> {
    if (this.#worker === null) return this.#parts.audit.add(happened)
    this.#worker.postMessage({ happened } satisfies Order)
    return happened
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#starting)
    const worker = this.#worker
    if (worker === null) return
    const exit = new Promise((resolve) => worker.once('exit', resolve))
    worker.postMessage('stop' satisfies Order)
    await Promise.race([exit, sleep(patienceMs, undefined, { ref: false })])
    await worker.terminate()
  }

  #pass(report: Report): void {
    const { events, log, metrics } = this.#parts
    if ('outcome' in report) metrics.countMail(report.outcome)
    else if ('event' in report) events.tell(report.event)
    else log[report.level](report.data, report.message)
  }

  #startIn(ms: Milliseconds): void {
    this.#starting = setTimeout(() => this.#start(), ms).unref()
  }
}
