import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { Limit } from '../units.ts'
import type { LimitedAct, Limiter } from './limiter.ts'

/** Counts in this process's memory: a restart or a second process starts afresh. */
export class MemoryLimiter implements Limiter {
  readonly #counters: Readonly<Record<LimitedAct, readonly RateLimiterMemory[]>>

  constructor(limits: Readonly<Record<LimitedAct, readonly Limit[]>>) {
    this.#counters = {
      request: limits.request.map(counter),
      'bad-proof': limits['bad-proof'].map(counter),
    }
  }

  async take(act: LimitedAct, client: string): Promise<number> {
    const waits = await Promise.all(this.#counters[act].map((each) => waitMs(each, client)))
    return Math.max(0, ...waits)
  }
}

function counter(limit: Limit): RateLimiterMemory {
  return new RateLimiterMemory({ points: limit.count, duration: limit.windowMs / 1000 })
}

async function waitMs(counter: RateLimiterMemory, client: string): Promise<number> {
  try {
    await counter.consume(client)
    return 0
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) return Math.max(1, refusal.msBeforeNext)
    throw refusal
  }
}
