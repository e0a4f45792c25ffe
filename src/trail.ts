import { channel } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { type EventName, type Events, eventNames, type RecoveryEvent } from './events.ts'
import { describeError, type Log } from './log.ts'

/**
 * Every event is published here, for monitoring that needs no hook (`node:diagnostics_channel`).
 *
 * ```ts
 * import { subscribe } from 'node:diagnostics_channel'
 * import { eventChannel, type RecoveryEvent } from 'fastify-forgot-password'
 *
 * subscribe(eventChannel, (event) => console.log((event as RecoveryEvent).name))
 * ```
 */
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

/** Where events are written down. */
export interface EventWriter {
  /** Writes them down; the answer holds the same, with what it has found out of them. */
  add(events: readonly RecoveryEvent[]): Promise<readonly RecoveryEvent[]>
}

interface TrailParts {
  readonly writer: EventWriter
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
// Nobody waits for them: what comes within a beat is written together, and costs the disk little more than one.
const beatMs = 50
// So many take no longer to write than a request does to be answered.
const mostTogether = 32
const mostRemembered = 10_000

/** Writes events down, publishes them, and calls the host's hooks. */
export class Trail implements Events {
  readonly #parts: TrailParts
  readonly #repeated = new Map<string, number>()
  readonly #waiting: RecoveryEvent[] = []
  readonly #closing = new AbortController()
  #writing: Promise<void> | null = null

  constructor(parts: TrailParts) {
    this.#parts = parts
  }

  record(event: RecoveryEvent): void {
    if (repeatable.has(event.name) && this.#isRepeated(event)) return
    this.#parts.count(event.name)
    this.#waiting.push(event)
    this.#writing ??= this.#write()
  }

  async #write(): Promise<void> {
    const { writer, log } = this.#parts
    while (this.#waiting.length > 0) {
      if (this.#waiting.length < mostTogether) await this.#rest()
      const events = this.#waiting.splice(0, mostTogether)
      const written = await writer.add(events).catch((error: unknown) => {
        const names = events.map(({ name }) => name)
        log.error({ events: names, error: describeError(error) }, 'events cannot be recorded')
        return events
      })
      for (const event of written) this.#publish(event)
    }
    this.#writing = null
  }

  tell(event: RecoveryEvent): void {
    this.#parts.count(event.name)
    this.#publish(event)
  }

  #publish(event: RecoveryEvent): void {
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

  async #rest(): Promise<void> {
    await sleep(beatMs, undefined, { signal: this.#closing.signal }).catch(() => {})
  }

  /** Writes what is waiting. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#writing
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
