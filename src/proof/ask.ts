import { foldAscii } from '../address.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Ask } from '../store/store.ts'
import { newLinkHash } from './link.ts'
import { newReference } from './reference.ts'
import { type KeyRing, randomId } from './secret.ts'

interface Parts {
  readonly config: Config
  readonly clock: Clock
  readonly keys: KeyRing
}

/** What the store is asked when somebody types an address: nothing in it is readable there. */
export function newAsk(email: string, locale: string, { config, clock, keys }: Parts): Ask {
  const id = randomId()
  return {
    id,
    tokenHash: newLinkHash(keys, id),
    reference: newReference(),
    jobId: randomId(),
    subjectKeys: keys.macs('subject', foldAscii(email)),
    addressKeys: keys.macs('address', email),
    sealedAddress: keys.seal('recipient', email),
    locale,
    now: clock.now(),
    lifetimeMs: config.recovery.linkLifetime,
    limits: config.limits.perAccount,
  }
}
