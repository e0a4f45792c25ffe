import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { fileURLToPath } from 'node:url'

/** How late an event loop was. */
export interface LoopDelay {
  readonly p99Ms: number
  readonly longestMs: number
}

/** A program of Node's that answers at a port, seen from outside. */
export interface Program {
  /** Its file and its arguments. */
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly port: number
  /** The page that tells that it answers. */
  readonly path: string
}

const ticksPerSecond = 100
const probe = fileURLToPath(new URL('probe.js', import.meta.url))

/** A server in a process of its own. */
export class MeasuredProcess {
  /** From its start to its first answer of 200. */
  readonly startMs: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, startMs: number) {
    this.#child = child
    this.startMs = startMs
  }

  /** @param isProbed Whether it can tell of its event loop; default: it can. */
  static async start(
    { args, env = {}, port, path }: Program,
    { isProbed = true }: { readonly isProbed?: boolean } = {},
  ): Promise<MeasuredProcess> {
    const started = performance.now()
    const child = spawn(process.execPath, [...(isProbed ? ['--import', probe] : []), ...args], {
      stdio: ['ignore', 'ignore', 'inherit', ...(isProbed ? (['ipc'] as const) : [])],
      env: { ...process.env, ...env },
    })
    while (!(await answers(port, path))) {
      if (child.exitCode !== null) throw new Error(`${args.join(' ')} has ended`)
    }
    return new MeasuredProcess(child, performance.now() - started)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** The processes it consists of. */
  get pids(): readonly number[] {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8')
    return [this.pid, ...children.trim().split(' ').filter(Boolean).map(Number)]
  }

  /** What it has used of the processor so far. */
  get cpuSeconds(): number {
    const ticks = this.pids.flatMap((pid) => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      return [Number(fields[11]), Number(fields[12])]
    })
    return ticks.reduce((sum, each) => sum + each, 0) / ticksPerSecond
  }

  /** Its memory now, and at most since its start. */
  get residentMiB(): { readonly now: number; readonly peak: number } {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    const mebibytes = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024
    return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') }
  }

  /** Tells how late its event loop is while some work is done. */
  async loopDelay(work: () => Promise<void>): Promise<LoopDelay> {
    this.#child.send('watch')
    await work()
    this.#child.send('tell')
    const [delay] = await once(this.#child, 'message')
    return delay as LoopDelay
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill(signal)
    await exit
  }
}

function answers(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: false }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode === 200))
    })
    // Asked at once again it would take the processor from the process that is starting.
    asked.on('error', () => setTimeout(resolve, 3, false))
    asked.end()
  })
}
