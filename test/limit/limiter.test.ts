import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { MemoryLimiter } from '../../src/limit/memory.ts'

describe('counting', () => {
  const limit = { count: 2, windowMs: 200 }

  it('lets so many through and then says how long to wait', async () => {
    const limiter = new MemoryLimiter({ request: [limit], 'bad-proof': [] })
    expect(await limiter.take('request', 'a')).toBe(0)
    expect(await limiter.take('request', 'a')).toBe(0)
    const waitMs = await limiter.take('request', 'a')
    expect(waitMs).toBeGreaterThan(0)
    expect(waitMs).toBeLessThanOrEqual(200)
    await sleep(waitMs + 20)
    expect(await limiter.take('request', 'a')).toBe(0)
  })

  it('counts each client and each act for itself', async () => {
    const limiter = new MemoryLimiter({
      request: [{ count: 1, windowMs: 1000 }],
      'bad-proof': [limit],
    })
    expect(await limiter.take('request', 'a')).toBe(0)
    expect(await limiter.take('request', 'b')).toBe(0)
    expect(await limiter.take('bad-proof', 'a')).toBe(0)
  })

  it('counts nothing that is off', async () => {
    const limiter = new MemoryLimiter({ request: [], 'bad-proof': [] })
    for (let index = 0; index < 100; index += 1) expect(await limiter.take('request', 'a')).toBe(0)
  })

  it('lets exactly so many of simultaneous ones through', async () => {
    const limiter = new MemoryLimiter({ request: [{ count: 5, windowMs: 1000 }], 'bad-proof': [] })
    const waits = await Promise.all(Array.from({ length: 50 }, () => limiter.take('request', 'a')))
    expect(waits.filter((waitMs) => waitMs === 0)).toHaveLength(5)
  })
})
