import type { User } from '../user.ts'

/**
 * The site's accounts, as far as a recovery touches them.
 *
 * ```ts
 * import type { User, Users } from 'fastify-forgot-password'
 *
 * const accounts = new Map<string, User & { hash: string }>()
 * const users: Users = {
 *   findByEmail: async (email) => [...accounts.values()].find((each) => each.email === email) ?? null,
 *   findById: async (id) => accounts.get(id) ?? null,
 *   setPassword: async ({ id, version }, hash) => {
 *     const account = accounts.get(id)
 *     if (account === undefined || account.version !== version) return false
 *     accounts.set(id, { ...account, hash, version: hash })
 *     return true
 *   },
 * }
 * export default users
 * ```
 */
export interface Users {
  /**
   * The account an address belongs to, or `null`: the one that spells it exactly so, else the only one
   * that differs in the case of A to Z. Two that fit equally well are none, since a link must not be a
   * guess. Accounts that must not be recovered are none either.
   */
  findByEmail(email: string): Promise<User | null>
  /** The account with this identifier, or `null` when it is gone or must not be recovered. */
  findById(id: string): Promise<User | null>
  /**
   * Writes the hash and ends the account's sessions, both or neither, if the account's version is still
   * the given one; `false` when it is not. Repeating it is harmless.
   */
  setPassword(user: User, hash: string): Promise<boolean>
  /**
   * Whether an account has had this very password before, for sites that keep a history; where it is left out,
   * none is asked for.
   */
  hasUsed?(user: User, password: string): Promise<boolean>
  /**
   * Ends every session of an account, because its person did not ask for what was mailed. Where it is left
   * out, the site's sessions outlive that.
   */
  endSessions?(id: string): Promise<void>
  /** Password hashes of a few accounts, for the owner to learn whether ours are of their kind. */
  sampleHashes?(): Promise<readonly string[]>
}
