/** An account as this module needs to know it; the site's own user may have more. */
export interface User {
  /** The site's own identifier, as text. */
  readonly id: string
  /** The address stored on the account, in its stored spelling: the only one that is mailed to. */
  readonly email: string
  /** How to greet the person; `null` when the site does not know. */
  readonly name: string | null
  /** The language the person has chosen, a BCP 47 tag; `null` when the site does not know. */
  readonly locale: string | null
  /**
   * `false` when the account has no password to set, since it signs in elsewhere: it is mailed that instead of
   * a link. Default: it has one.
   */
  readonly canReset?: boolean
  /**
   * Differs after every change that must end an open recovery, such as the stored password hash.
   * It is compared, never shown, logged or sent.
   */
  readonly version: string
}
