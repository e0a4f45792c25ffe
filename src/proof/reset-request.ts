import { foldAscii } from '../address.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { ResetRequest } from '../store/store.ts'
import { newLinkHash } from './link.ts'
import { newReference } from './reference.ts'
import { type KeyRing, rowId } from './secret.ts'

interface Parts {
  readonly config: Config
  readonly clock: Clock
  readonly keys: KeyRing
}

/** What the store is asked when somebody types an address: nothing in it is readable there. */
export function newResetRequest(
  email: string,
  locale: string,
  { config, clock, keys }: Parts,
  client = '',
): ResetRequest {
  const now = clock.now()
  const id = rowId(now)
  return {
    id,
    tokenHash: newLinkHash(keys, id),
    reference: newReference(),
    jobId: rowId(now),
    subjectKeys: keys.macs('subject', foldAscii(email)),
    sealedAddress: keys.seal('recipient', email),
    locale,
    now,
    lifetimeMs: config.recovery.linkLifetime,
    code: codeRules(config.recovery),
    limits: config.limits.perAccount,
    client,
  }
}

function codeRules({ methods, codeLifetime, codeTries }: Config['recovery']): ResetRequest['code'] {
  if (!methods.includes('code')) return null
  return { lifetimeMs: codeLifetime, mostTries: codeTries, isAlone: !methods.includes('link') }
}
