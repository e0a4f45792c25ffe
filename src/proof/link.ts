import { digest, type KeyRing } from './secret.ts'

/**
 * A link's token is derived from its row's random id and never stored: the database holds its SHA-256
 * alone, and yet a mail that is sent again carries the same, working link.
 */
export function newLinkHash(ring: KeyRing, resetId: string): string {
  return digest(ring.mac('link', resetId))
}

/** The token that belongs to a stored hash, whichever secret made it; `null` once that one is retired. */
export function linkToken(ring: KeyRing, resetId: string, tokenHash: string): string | null {
  return ring.macs('link', resetId).find((token) => digest(token) === tokenHash) ?? null
}

/** Which secret of the ring a row was made with: its place, or -1 once it is retired. */
export function linkSecretIndex(ring: KeyRing, resetId: string, tokenHash: string): number {
  return ring.macs('link', resetId).findIndex((token) => digest(token) === tokenHash)
}

/**
 * The hash to look a visitor's token up by, or `null` when it cannot be a token: the spelling is exact,
 * 43 characters of base64url (RFC 4648 §5) for 256 bits.
 */
export function linkHash(token: string): string | null {
  return /^[A-Za-z0-9_-]{43}$/.test(token) ? digest(token) : null
}
