import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Asks until the answer is neither `null`, `undefined` nor `false`; fails after `withinMs`. */
export async function eventually<T>(
  ask: () => T | Promise<T>,
  withinMs = 10_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const giveUpAt = Date.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== null && answer !== undefined && answer !== false) {
      return answer as NonNullable<Exclude<T, false>>
    }
    if (Date.now() > giveUpAt) throw new Error(`It has not happened within ${withinMs} ms`)
    await sleep(10)
  }
}

/**
 * A TCP port that is free on this machine, and below those that the system gives to connections: one of them
 * could be taken before it is listened on.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}
