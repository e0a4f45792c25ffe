import { writeFileSync } from 'node:fs'

/** What is told of a series of requests. */
export interface Figures {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuSecondsPer1000: number
  readonly loopDelayP99Ms: number
  readonly residentMiB: number
}

interface Row {
  readonly what: string
  readonly connections: number
  readonly ours: Figures
  readonly floor: Figures | null
}

/** A figure that was hoped for. */
interface Target {
  readonly what: string
  readonly value: number
  readonly wanted: string
  readonly isMet: boolean
}

/** Collects figures, prints them as they come, and keeps them for a file. */
export class Report {
  readonly #rows: Row[] = []
  readonly #targets: Target[] = []
  readonly #others: Record<string, unknown> = {}
  #hasColumns = false

  /** Begins a part. */
  head(title: string): void {
    console.log(`\n${title}`)
    this.#hasColumns = false
  }

  #nameColumns(): void {
    if (this.#hasColumns) return
    this.#hasColumns = true
    const columns = ['op/s', 'p50 ms', 'p99 ms', 'CPU s/1000', 'loop p99', 'MiB', 'floor', 'ratio']
    console.log(`${''.padEnd(26)}${columns.map((each) => each.padStart(11)).join('')}`)
  }

  add(what: string, connections: number, ours: Figures, { floor }: { floor?: Figures } = {}): void {
    this.#rows.push({ what, connections, ours, floor: floor ?? null })
    this.#nameColumns()
    const cells = [
      round(ours.perSecond),
      ours.p50Ms.toFixed(2),
      ours.p99Ms.toFixed(2),
      ours.cpuSecondsPer1000.toFixed(3),
      ours.loopDelayP99Ms.toFixed(1),
      round(ours.residentMiB),
      floor === undefined ? '' : round(floor.perSecond),
      floor === undefined ? '' : (ours.perSecond / floor.perSecond).toFixed(2),
    ]
    const name = `${what} c=${connections}`
    console.log(`${name.padEnd(26)}${cells.map((cell) => cell.padStart(11)).join('')}`)
  }

  /** One of the rows. */
  ours(what: string, connections: number): Figures {
    const row = this.#rows.find((each) => each.what === what && each.connections === connections)
    if (row === undefined) throw new Error(`There is no row ${what} c=${connections}`)
    return row.ours
  }

  /** A line of text, with its figures for the file. */
  tell(what: string, text: string, figures: unknown): void {
    this.#others[what] = figures
    console.log(`${what.padEnd(22)} ${text}`)
  }

  atLeast(what: string, value: number, least: number): void {
    this.#aim({ what, value, wanted: `≥ ${least}`, isMet: value >= least })
  }

  atMost(what: string, value: number, most: number): void {
    this.#aim({ what, value, wanted: `≤ ${most}`, isMet: value <= most })
  }

  /** Prints how the figures stand to what was hoped for, and writes all of them to a file. */
  finish(file: string): void {
    console.log(`\n${'Targets'.padEnd(44)}${'measured'.padStart(10)}${'wanted'.padStart(12)}`)
    for (const { what, value, wanted, isMet } of this.#targets) {
      const cells = [what.padEnd(44), show(value).padStart(10), wanted.padStart(12)]
      console.log(`${cells.join('')}  ${isMet ? 'met' : 'MISSED'}`)
    }
    const all = { at: new Date().toISOString(), node: process.version, rows: this.#rows }
    const text = JSON.stringify({ ...all, ...this.#others, targets: this.#targets }, null, 2)
    writeFileSync(file, `${text}\n`)
    console.log(`\nAll figures: ${file}`)
  }

  #aim(target: Target): void {
    this.#targets.push(target)
  }
}

function round(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function show(value: number): string {
  return value >= 100 ? round(value) : value.toPrecision(3)
}
