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

export const seconds = (count: number): number => count * 1000
export const minutes = (count: number): number => count * 60_000
export const hours = (count: number): number => count * 3_600_000
