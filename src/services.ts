import type { Clock } from './clock.ts'
import type { Config } from './config/config.ts'
import type { Events } from './events.ts'
import type { Limiter } from './limit/limiter.ts'
import type { Locales } from './locale/locales.ts'
import type { Log } from './log.ts'
import type { Passwords } from './password/passwords.ts'
import type { KeyRing } from './proof/secret.ts'
import type { Resets } from './store/store.ts'
import type { Users } from './users/users.ts'

/** Everything a step may touch; `wire.ts` makes it, a test may make another. */
export interface Services {
  readonly config: Config
  readonly clock: Clock
  readonly keys: KeyRing
  readonly resets: Resets
  readonly users: Users
  readonly passwords: Passwords
  readonly limiter: Limiter
  readonly locales: Locales
  readonly log: Log
  readonly events: Events
  /** Tells the courier that mail may be waiting. */
  readonly wake: () => void
}
