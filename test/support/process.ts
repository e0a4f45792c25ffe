import { type ChildProcess, spawn } from 'node:child_process'
import { eventually } from './wait.ts'

/** The command line as a process of its own. */
export class Cli {
  readonly #process: ChildProcess
  output = ''
  errors = ''

  constructor(
    args: readonly string[],
    options: { cwd?: string; env?: Record<string, string> } = {},
  ) {
    const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
    this.#process = spawn(process.execPath, [main, ...args], {
      cwd: options.cwd ?? process.cwd(),
      env: { PATH: process.env['PATH'] ?? '', ...options.env },
    })
    this.#process.stdout?.on('data', (data: Buffer) => {
      this.output += data.toString()
    })
    this.#process.stderr?.on('data', (data: Buffer) => {
      this.errors += data.toString()
    })
  }

  /** Resolves when it listens. */
  async listening(): Promise<void> {
    await eventually(() => {
      if (this.#process.exitCode !== null) throw new Error(`It has ended: ${this.errors}`)
      return /Listening on|Open /.test(this.output)
    }, 20_000)
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** The exit code, once it has ended: `null` when a signal has ended it. */
  async ended(): Promise<number | null> {
    await eventually(
      () => this.#process.exitCode !== null || this.#process.signalCode !== null,
      20_000,
    )
    return this.#process.exitCode
  }
}
