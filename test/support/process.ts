import { type ChildProcess, spawn } from 'node:child_process'
import { eventually } from './wait.ts'

interface ProcessOptions {
  readonly cwd?: string
  readonly env?: Record<string, string>
}

/** The command line as a process of its own. */
export class Cli {
  readonly #process: ChildProcess
  output = ''
  errors = ''

  constructor(args: readonly string[], options: ProcessOptions = {}, script = 'src/cli/main.ts') {
    const main = new URL(`../../${script}`, import.meta.url).pathname
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

  /** Another program of the project, named from its root. */
  static script(script: string, options: ProcessOptions): Cli {
    return new Cli([], options, script)
  }

  /** Resolves when something answers there. */
  async answering(url: string): Promise<void> {
    await eventually(() => {
      if (this.#process.exitCode !== null) throw new Error(`It has ended: ${this.errors}`)
      return fetch(url).then(
        () => true,
        () => false,
      )
    }, 20_000)
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
