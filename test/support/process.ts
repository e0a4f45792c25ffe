import { type ChildProcess, spawn } from 'node:child_process'
import { eventually } from './wait.ts'

export interface ProcessOptions {
  readonly cwd?: string
  readonly env?: Record<string, string>
  /** What a shell does before it becomes the process, such as `ulimit -n 64`. */
  readonly prelude?: string
  /** The descriptor that the output goes to instead of {@link Cli.output}. */
  readonly stdout?: number
}

// Where each process is to tell which lines it has run, if anybody wants to know: it runs the sources then.
const coverage = process.env['CHILD_COVERAGE']
// What one process has compiled the next need not: it starts in half the time.
const compiled = new URL('../../node_modules/.cache/compiled', import.meta.url).pathname

/** The command line as a process of its own. */
export class Cli {
  readonly #process: ChildProcess
  output = ''
  errors = ''

  constructor(args: readonly string[], options: ProcessOptions = {}, script = 'src/cli/main.ts') {
    const source = coverage === undefined ? script : script.replace(/^dist\/(.+)\.js$/, 'src/$1.ts')
    const main = new URL(`../../${source}`, import.meta.url).pathname
    const { prelude, stdout = 'pipe' } = options
    const command = [process.execPath, main, ...args]
    const [program = '', ...words] =
      prelude === undefined ? command : ['sh', '-c', `${prelude} && exec "$0" "$@"`, ...command]
    this.#process = spawn(program, words, {
      cwd: options.cwd ?? process.cwd(),
      env: {
        PATH: process.env['PATH'] ?? '',
        ...(coverage === undefined
          ? { NODE_COMPILE_CACHE: compiled }
          : { NODE_V8_COVERAGE: coverage }),
        ...options.env,
      },
      stdio: ['pipe', stdout, 'pipe'],
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

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** Types into it, and nothing more after that. */
  type(text: string): void {
    this.#process.stdin?.end(text)
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
