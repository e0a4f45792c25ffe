import { channel } from 'node:diagnostics_channel'
import { type EventName, type Events, eventNames, type RecoveryEvent } from './events.ts'
import { describeError, type Log } from './log.ts'
import type { Audit } from './store/store.ts'

/** Every event is published here, for monitoring that needs no hook (`node:diagnostics_channel`). */
export const eventChannel = 'fastify-forgot-password'

type HookName<Name extends string> = Name extends `${infer First}_${infer Rest}`
  ? `${Capitalize<First>}${HookName<Rest>}`
  : Capitalize<Name>

/** What a host wants to be told: `onRequested`, `onSendFailed` and so on, one for each event. */
export type Hooks = {
  readonly [Name in EventName as `on${HookName<Name>}`]?: (
    event: RecoveryEvent,
  ) => Promise<void> | void
}

interface TrailParts {
  readonly audit: Audit
  readonly log: Log
  readonly hooks: Hooks
  readonly count: (name: EventName) => void
  /** Whether this thread is the one that listeners are in. */
  readonly isPublishing: boolean
}

// What one client can cause again and again is written down once in a while: the trail must not be what a
// flood fills.
const repeatable: ReadonlySet<EventName> = new Set([
  'code_locked',
  'expired',
  'opened',
  'rate_limited',
  'rejected',
])
const quietMs = 10_000
const mostRemembered = 10_000

/** Writes events down, publishes them, and calls the host's hooks. */
export class Trail implements Events {
  readonly #parts: TrailParts
  readonly #repeated = new Map<string, number>()
  readonly #underway = new Set<Promise<void>>()

  constructor(parts: TrailParts) {
    this.#parts = parts
  }

  record(event: RecoveryEvent): void {
    if (repeatable.has(event.name) && this.#isRepeated(event)) return
    const { audit, log } = this.#parts
    const writing = audit
      .add(event)
      .catch((error: unknown) => {
        log.error({ event: event.name, error: describeError(error) }, 'an event cannot be recorded')
        return event
      })
      .then((written) => this.tell(written))
    this.#underway.add(writing)
    void writing.finally(() => this.#underway.delete(writing))
  }

  tell(event: RecoveryEvent): void {
    this.#parts.count(event.name)
    if (this.#parts.isPublishing) channel(eventChannel).publish(event)
    const hook = this.#parts.hooks[hookName(event.name)]
    if (hook === undefined) return
    // A host's mistake must not become the visitor's.
    Promise.resolve()
      .then(() => hook(event))
      .catch((error: unknown) => {
        const about = { event: event.name, error: describeError(error) }
        this.#parts.log.error(about, 'a hook has failed')
      })
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await Promise.all(this.#underway)
  }

  #isRepeated({ name, client, reason, resetId, at }: RecoveryEvent): boolean {
    const key = `${name} ${reason} ${client} ${resetId}`
    const last = this.#repeated.get(key)
    if (last !== undefined && at >= last && at - last < quietMs) return true
    if (this.#repeated.size >= mostRemembered) this.#repeated.clear()
    this.#repeated.set(key, at)
    return false
  }
}

/** Hooks that all do the same. */
export function hooksOf(hook: (event: RecoveryEvent) => void): Hooks {
  return Object.fromEntries(eventNames.map((name) => [hookName(name), hook]))
}

function hookName(name: EventName): keyof Hooks {
  const words = name.split('_').map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return `on${words.join('')}` as keyof Hooks
}
