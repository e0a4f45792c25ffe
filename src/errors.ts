/** Everything an installation can do wrong has one of these codes; they are stable, the texts are not. */
export type ForgotErrorCode =
  /** The configuration cannot be used: `problems` lists every reason with its place. */
  | 'ERR_FORGOT_CONFIG'
  /** The token store cannot be opened, migrated or reached. */
  | 'ERR_FORGOT_STORE'
  /** The user table is missing, differs from its mapping, or cannot be reached. */
  | 'ERR_FORGOT_USERS'
  /** A mail could not be handed over. */
  | 'ERR_FORGOT_MAIL'
  /** A template or a locale file is missing or broken. */
  | 'ERR_FORGOT_TEMPLATE'
  /** This version of Node cannot run the module. */
  | 'ERR_FORGOT_NODE'
  /** More work is waiting than may wait; the same request is welcome a little later. */
  | 'ERR_FORGOT_BUSY'
  /** The support desk can do nothing for an address. */
  | 'ERR_FORGOT_DESK'
  /** The port is taken or may not be opened. */
  | 'ERR_FORGOT_LISTEN'

/**
 * What an installation can cause. The message names the place, the rule and the remedy, and never a
 * secret, a token or a person's address. What a visitor can cause is a value with a `Reason` instead.
 *
 * ```ts
 * import { ForgotError, loadConfig } from 'fastify-forgot-password'
 *
 * try {
 *   loadConfig('./config.yaml')
 * } catch (error) {
 *   if (!(error instanceof ForgotError)) throw error
 *   for (const problem of error.problems) console.error(`${error.code} ${problem}`)
 * }
 * ```
 */
export class ForgotError extends Error {
  readonly code: ForgotErrorCode
  /** One line for each thing that is wrong; the message holds them all. */
  readonly problems: readonly string[]

  constructor(
    code: ForgotErrorCode,
    message: string,
    options: { cause?: unknown; problems?: readonly string[] } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'ForgotError'
    this.code = code
    this.problems = options.problems ?? [message]
  }
}
