import type { Deliverer } from './mail/courier.ts'
import type { Opened } from './opened.ts'
import type { Milliseconds } from './units.ts'

/** What begins beside the requests needs the processor for as long as their first answer does: that goes first. */
export const firstAnswerMs: Milliseconds = 100

/** What is done beside the requests: not all of it has to be told that there is something new. */
type Work = Pick<Deliverer, 'start' | 'stop'> & Partial<Deliverer>

/** Several works as one, which lets go of what it alone uses. */
export function asOne(works: readonly (Work | null)[], opened: Opened): Deliverer {
  const all = works.filter((each) => each !== null)
  return {
    start: () => {
      for (const each of all) each.start()
    },
    wake: () => {
      for (const each of all) each.wake?.()
    },
    stop: async () => {
      await Promise.all(all.map((each) => each.stop()))
      await opened.close()
    },
  }
}
