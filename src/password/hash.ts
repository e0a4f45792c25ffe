import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Config } from '../config/config.ts'
import { ForgotError } from '../errors.ts'
import type { BreachList } from './breached.ts'
import type { PasswordContext, PasswordProblem, Passwords } from './passwords.ts'
import { checkPassword } from './policy.ts'
import type { Answer, Task } from './worker.ts'

// A hash takes a third of a second and a whole core: more workers than cores only take turns.
const mostWorkers = 2
const mostWaiting = 64

/** Checks and hashes passwords away from the event loop. */
export class WorkerPasswords implements Passwords {
  readonly #rules: Config['password']
  readonly #pool: WorkerPool
  readonly #breaches: BreachList | null

  constructor(
    rules: Config['password'],
    {
      pool = new WorkerPool(),
      breaches = null,
    }: { pool?: WorkerPool; breaches?: BreachList | null } = {},
  ) {
    this.#rules = rules
    this.#pool = pool
    this.#breaches = breaches
  }

  async check(password: string, context: PasswordContext): Promise<PasswordProblem | null> {
    const problem = checkPassword(password, this.#rules, context)
    if (problem !== null) return problem
    if (await this.#isEasy(password, context)) return { reason: 'password-common' }
    const isBreached = await this.#breaches?.isListed(password)
    return isBreached === true ? { reason: 'password-breached' } : null
  }

  async hash(password: string): Promise<string> {
    const { hash, cost } = this.#rules
    const task: Task = hash === 'bcrypt' ? { kind: hash, password, cost } : { kind: hash, password }
    return String(await this.#pool.run(task))
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }

  async #isEasy(password: string, { email, siteName }: PasswordContext): Promise<boolean> {
    const { blockCommon, strength } = this.#rules
    const task = { kind: 'common', password } as const
    if (blockCommon && (await this.#pool.run(task, { first: true })) === true) return true
    if (strength === 0) return false
    const words = [...email.split(/[^\p{L}\p{N}]+/u), siteName]
    const guess = { kind: 'guess', password, words, least: strength } as const
    return (await this.#pool.run(guess, { first: true })) === true
  }
}

interface Waiting {
  readonly task: Task
  readonly resolve: (value: string | boolean) => void
  readonly reject: (error: Error) => void
}

/** A few workers that start when they are first needed, and a queue that ends somewhere. */
class WorkerPool {
  readonly #size = Math.min(mostWorkers, availableParallelism())
  readonly #idle: Worker[] = []
  readonly #busy = new Map<Worker, Waiting>()
  readonly #queue: Waiting[] = []
  #isClosed = false

  /** @param first Whether it goes before what waits: for tasks that take no time worth speaking of. */
  run(task: Task, { first = false }: { first?: boolean } = {}): Promise<string | boolean> {
    if (this.#isClosed) return Promise.reject(busy('The server is stopping'))
    if (this.#queue.length >= mostWaiting) return Promise.reject(busy())
    return new Promise((resolve, reject) => {
      const waiting = { task, resolve, reject }
      if (first) this.#queue.unshift(waiting)
      else this.#queue.push(waiting)
      this.#next()
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const waiting of this.#queue.splice(0)) waiting.reject(busy('The server is stopping'))
    await Promise.all([...this.#idle, ...this.#busy.keys()].map((worker) => worker.terminate()))
  }

  #next(): void {
    if (this.#queue.length === 0) return
    const worker = this.#idle.pop() ?? (this.#busy.size < this.#size ? this.#start() : null)
    const waiting = worker && this.#queue.shift()
    if (!worker || !waiting) return
    this.#busy.set(worker, waiting)
    worker.ref()
    worker.postMessage(waiting.task)
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), { env: {} })
    worker.on('message', (answer: Answer) => this.#finish(worker, answer))
    worker.on('error', () => this.#lose(worker))
    worker.on('exit', () => this.#lose(worker))
    return worker
  }

  #finish(worker: Worker, answer: Answer): void {
    const waiting = this.#busy.get(worker)
    this.#busy.delete(worker)
    this.#idle.push(worker)
    // An idle worker must not keep the process from ending.
    worker.unref()
    if ('value' in answer) waiting?.resolve(answer.value)
    else waiting?.reject(busy(`A password cannot be worked on: ${answer.error}`))
    this.#next()
  }

  #lose(worker: Worker): void {
    this.#busy.get(worker)?.reject(busy('A password worker has ended'))
    this.#busy.delete(worker)
    const index = this.#idle.indexOf(worker)
    if (index >= 0) this.#idle.splice(index, 1)
    if (!this.#isClosed) this.#next()
  }
}

function busy(why = 'Too many passwords are being set at once'): ForgotError {
  return new ForgotError('ERR_FORGOT_BUSY', why)
}
