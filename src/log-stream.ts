import { constants, openSync, write, writeSync } from 'node:fs'

// Some minutes of a busy site.
const mostBytes = 1_000_000
const retryMs = 100

/**
 * Standard output for a log that must never hold up the server: when nobody reads it, or its disk is full, lines
 * wait for a while, and those that find no room are dropped and counted.
 */
export class LogStream {
  readonly #descriptor = openOutput()
  readonly #waiting: Buffer[] = []
  #bytes = 0
  #dropped = 0
  #isWriting = false

  constructor() {
    process.once('exit', () => this.#flush())
  }

  write(line: string): void {
    if (this.#bytes > mostBytes) {
      this.#dropped += 1
      return
    }
    this.#add(line)
    if (!this.#isWriting) this.#writeNext()
  }

  #add(line: string): void {
    const bytes = Buffer.from(line)
    this.#waiting.push(bytes)
    this.#bytes += bytes.length
  }

  #writeNext(): void {
    const [first] = this.#waiting
    this.#isWriting = first !== undefined
    if (first === undefined) return
    write(this.#descriptor, first, (error, count) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#writeNext(), retryMs).unref()
        return
      }
      this.#take(first, error === null ? count : null)
      this.#writeNext()
    })
  }

  /** @param count How much of the first was written; `null`: it never will be. */
  #take(first: Buffer, count: number | null): void {
    const rest = count === null ? null : first.subarray(count)
    this.#bytes -= count ?? first.length
    if (rest !== null && rest.length > 0) this.#waiting[0] = rest
    else this.#waiting.shift()
    if (count === null) this.#dropped += 1
    else if (this.#dropped > 0) {
      const line = { level: 40, time: Date.now(), dropped: this.#dropped, msg: 'log lines dropped' }
      this.#dropped = 0
      this.#add(`${JSON.stringify(line)}\n`)
    }
  }

  /** What can be written at once, at the very end. */
  #flush(): void {
    try {
      for (const bytes of this.#waiting.splice(0)) writeSync(this.#descriptor, bytes)
    } catch {
      // Whoever does not read it now will not.
    }
  }
}

/** So that writing never waits; where it cannot be opened anew, as a socket cannot, it is used as it is. */
function openOutput(): number {
  const { O_APPEND, O_NONBLOCK, O_WRONLY } = constants
  try {
    return openSync('/proc/self/fd/1', O_WRONLY | O_NONBLOCK | O_APPEND)
  } catch {
    return 1
  }
}
