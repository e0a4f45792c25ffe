import type { Clock } from './clock.ts'
import type { KeyRing } from './proof/secret.ts'

/** What an instance tells whoever has its secret of a request, as it has met it. */
export interface InstanceView {
  /** Its clock, in milliseconds since the Unix epoch. */
  readonly now: number
  /** The client, as limits count it. */
  readonly client: string
  /** Who has connected: the client, or the nearest proxy. */
  readonly peer: string
  /** The X-Forwarded-For that came with it; `''` for none. */
  readonly forwardedFor: string
}

/** Where an instance is asked, below the route of the pages. */
export const instancePath = '/instance'
/** Proves that whoever asks has the secret. */
export const proofHeader = 'forgot-instance-proof'

// Long enough for clocks that differ, so that this too can be told; what it tells is about the asker alone.
const longestMs = 3_600_000

/** A proof for {@link isOwner}, good for an hour. */
export function makeProof(keys: KeyRing, clock: Clock): string {
  const at = String(clock.now())
  return `${at}.${keys.mac('instance', at)}`
}

/** Whether a request comes from whoever has a secret of this instance. */
export function isOwner(keys: KeyRing, clock: Clock, proof: string): boolean {
  const [, at = '', mac = ''] = /^(\d{1,16})\.([\w-]{43})$/.exec(proof) ?? []
  return Math.abs(clock.now() - Number(at)) < longestMs && keys.verifies('instance', at, mac)
}
