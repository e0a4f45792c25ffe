/** bcrypt reads no byte beyond these: what follows would protect nothing. */
export const bcryptBytes = 72

export type PasswordReason =
  | 'password-missing'
  | 'password-characters'
  | 'password-too-short'
  | 'password-too-long'
  | 'password-too-many-bytes'
  | 'password-composition'
  | 'password-contains-email'
  | 'password-contains-site'
  | 'password-common'
  | 'password-breached'
  | 'password-used'

/** Why a password is refused, with the figures its message needs. */
export interface PasswordProblem {
  readonly reason: PasswordReason
  readonly values?: Readonly<Record<string, number>>
}

/** What a password must not consist of. */
export interface PasswordContext {
  readonly email: string
  readonly siteName: string
}

/** What may be set as a password, and how it is stored. */
export interface Passwords {
  /** Why a normalized password is refused, or `null` when it may be set. */
  check(password: string, context: PasswordContext): Promise<PasswordProblem | null>
  /**
   * The hash the user table gets.
   *
   * @throws {ForgotError} `ERR_FORGOT_BUSY` when too many are waiting already, or a worker was lost.
   */
  hash(password: string): Promise<string>
  close(): Promise<void>
}

/**
 * The password as it is checked and hashed: NFC, so that é typed on one machine is é on another (NIST
 * SP 800-63B-4 §3.1.1.2). Nothing is trimmed or cut.
 */
export function normalizePassword(typed: string): string {
  return typed.normalize('NFC')
}
