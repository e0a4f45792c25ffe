import type { User } from '../user.ts'
import type { KeyRing } from './secret.ts'

/**
 * What a secret is bound to when it is mailed: once the password, the address or the account's state
 * differs, the secret is dead, with no code anywhere that would have to remember to kill it.
 */
export function accountMark(ring: KeyRing, user: User): string {
  return ring.mac('account', accountState(user))
}

/** Whether the account is still what it was when the mark was made. */
export function isUnchanged(ring: KeyRing, user: User, mark: string): boolean {
  return ring.verifies('account', accountState(user), mark)
}

function accountState(user: User): string {
  return JSON.stringify([user.id, user.email, user.version])
}
