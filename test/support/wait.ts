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

/** A TCP port that is free on this machine. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('There is no free port')
  return address.port
}
