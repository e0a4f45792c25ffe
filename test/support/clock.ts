import type { Clock } from '../../src/clock.ts'

/** A clock that a test moves: it starts at the true time and stands still. */
export class TestClock implements Clock {
  #now = Date.now()

  now(): number {
    return this.#now
  }

  move(ms: number): void {
    this.#now += ms
  }
}

const monotonicMs = performance.now.bind(performance)
let gainedMs = 0

/** Has the monotonic clock go ten times as fast while something is awaited: what gives up does so sooner. */
export async function hastened<T>(work: Promise<T>): Promise<T> {
  performance.now = () => monotonicMs() + gainedMs
  const timer = setInterval(() => {
    gainedMs += 90
  }, 10)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}

export const seconds = (count: number): number => count * 1000
export const minutes = (count: number): number => count * 60_000
export const hours = (count: number): number => count * 3_600_000
