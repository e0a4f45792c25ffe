import type { KeyRing } from './secret.ts'

/**
 * What a mail carries for the person who did not ask for it: it names its row, and can do no more than
 * end what belongs to that.
 */
export function revokeToken(ring: KeyRing, resetId: string): string {
  return `${resetId}.${ring.mac('revoke', resetId)}`
}

/** The row a token was made for, under any of the secrets, or `null` when it is none. */
export function readRevokeToken(ring: KeyRing, token: string): string | null {
  const [, resetId = '', mac = ''] = /^([\w-]{22,31})\.([\w-]{43})$/.exec(token) ?? []
  return resetId !== '' && ring.verifies('revoke', resetId, mac) ? resetId : null
}
