import cluster, { type Worker } from 'node:cluster'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from './config/config.ts'
import { ForgotError } from './errors.ts'
import type { EventName } from './events.ts'
import type { Log } from './log.ts'
import { Metrics } from './metrics.ts'
import type { Overrides } from './parts.ts'
import type { QueueTotals } from './store/mail.ts'

/** What a process tells the one that has started it: it has queued a mail, counted an event, wants the figures. */
type Report =
  | { readonly kind: 'wake' }
  | { readonly kind: 'event'; readonly name: EventName }
  | { readonly kind: 'figures'; readonly id: number; readonly queue: QueueTotals | null }

interface Figures {
  readonly id: number
  readonly text: string
}

// Not FORGOT_: what begins so is a key of the configuration.
const mark = 'RECOVERY_PROCESS'
const restartMs = 1000

/** How many processes a configuration asks for, where this one may start any. */
export function processCount({ server }: Config): number {
  // Whoever runs this in a cluster of their own has their own idea of how many.
  if (!cluster.isPrimary) return 1
  return server.processes === 'auto' ? availableParallelism() : server.processes
}

/** Whether this process was started by {@link Processes}. */
export function isProcess(): boolean {
  return cluster.isWorker && process.env[mark] === '1'
}

/** What a process that was started so does not do itself. */
export function processParts(): Overrides & { readonly metrics: Metrics } {
  return { isDelivering: false, wake: () => tell({ kind: 'wake' }), metrics: new SharedMetrics() }
}

/** Ends a process that could not listen, once it has said why: it would wait for orders for ever. */
export function leave(error: unknown): never {
  setImmediate(() => process.exit())
  throw error
}

function tell(report: Report): void {
  // Whoever listened may be gone: then this process goes too.
  process.send?.(report, undefined, undefined, () => {})
}

/** Counts where all processes are counted. */
class SharedMetrics extends Metrics {
  #asked = 0

  override countEvent(name: EventName): void {
    tell({ kind: 'event', name })
  }

  override render(queue: QueueTotals | null): Promise<string> {
    this.#asked += 1
    const id = this.#asked
    return new Promise((resolve) => {
      const hear = (figures: Figures): void => {
        if (figures.id !== id) return
        process.off('message', hear)
        resolve(figures.text)
      }
      process.on('message', hear)
      tell({ kind: 'figures', id, queue })
    })
  }
}

interface ProcessesParts {
  readonly log: Log
  readonly metrics: Metrics
  /** One of them has queued a mail. */
  wake(): void
}

/** This program, run several times on one port; whatever ends is started again. */
export class Processes {
  readonly #parts: ProcessesParts
  readonly #running = new Map<Worker, Promise<unknown>>()
  #isStopping = false

  constructor(parts: ProcessesParts) {
    this.#parts = parts
  }

  /**
   * Resolves when all of them listen.
   *
   * @throws {ForgotError} `ERR_FORGOT_CONFIG` or `ERR_FORGOT_LISTEN` when the first one ends instead, as its
   *   exit code tells; it has said why.
   */
  async start(count: number): Promise<void> {
    // Each takes its connections itself: one that is handed to a process that has just died would never end.
    cluster.schedulingPolicy = cluster.SCHED_NONE
    // What keeps one from listening keeps all, and once is often enough to hear of it.
    const first = await this.#fork()
    if (first !== null) {
      const code = first.process.exitCode === 2 ? 'ERR_FORGOT_CONFIG' : 'ERR_FORGOT_LISTEN'
      throw new ForgotError(code, 'server.processes: the first one has ended before it listened')
    }
    await Promise.all(Array.from({ length: count - 1 }, () => this.#forkUntilOneListens()))
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    for (const worker of this.#running.keys()) worker.process.kill('SIGTERM')
    await Promise.all(this.#running.values())
  }

  async #forkUntilOneListens(): Promise<void> {
    while (!this.#isStopping && (await this.#fork()) !== null) await sleep(restartMs)
  }

  /** One more, once it listens; one that has ended before is the answer, else that is `null`. */
  async #fork(): Promise<Worker | null> {
    const worker = cluster.fork({ [mark]: '1' })
    // One that has just died cannot be told anything; its end is heard of all the same.
    worker.on('error', () => {})
    worker.on('message', (report: Report) => void this.#take(worker, report))
    const ended = new Promise<false>((resolve) => worker.once('exit', () => resolve(false)))
    const listening = new Promise<true>((resolve) => worker.once('listening', () => resolve(true)))
    this.#running.set(worker, ended)
    const isListening = await Promise.race([listening, ended])
    if (isListening) void ended.then(() => this.#replace(worker))
    else this.#running.delete(worker)
    return isListening ? null : worker
  }

  async #replace(worker: Worker): Promise<void> {
    this.#running.delete(worker)
    if (this.#isStopping) return
    const { pid, exitCode, signalCode } = worker.process
    this.#parts.log.error({ pid, exitCode, signalCode }, 'a process has ended: another one starts')
    await sleep(restartMs)
    await this.#forkUntilOneListens()
  }

  async #take(worker: Worker, report: Report): Promise<void> {
    const { metrics, wake } = this.#parts
    if (report.kind === 'wake') wake()
    else if (report.kind === 'event') metrics.countEvent(report.name)
    else {
      const figures: Figures = { id: report.id, text: await metrics.render(report.queue) }
      if (worker.isConnected()) worker.send(figures)
    }
  }
}
