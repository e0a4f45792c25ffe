import { systemClock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import { requireStore } from '../databases.ts'
import { type DeskRefusal, SupportDesk } from '../desk.ts'
import { ForgotError } from '../errors.ts'
import { isLoopback } from '../network.ts'
import { Opened } from '../opened.ts'
import { openStore, openUsers } from '../parts.ts'
import { UsageError } from './command.ts'

/**
 * Lets `work` use the support desk of a site, and closes what that has opened.
 *
 * @throws {ForgotError} when the configuration does not lead to the site's store and accounts.
 */
export async function atDesk<T>(
  file: string | undefined,
  work: (desk: SupportDesk) => Promise<T | DeskRefusal>,
): Promise<T> {
  const config = loadConfig(file)
  requireAccounts(config)
  requireStore(config.store)
  const opened = new Opened()
  try {
    const { keys, store } = await openStore(config, opened)
    const users = await openUsers(config, systemClock, opened)
    const done = await work(new SupportDesk({ config, clock: systemClock, keys, store, users }))
    if (isRefusal(done)) throw refusals[done]()
    return done
  } finally {
    await opened.close()
  }
}

/** A site that hands its accounts over in code has none here: to ask the demo's would give a wrong answer. */
function requireAccounts({ users, site }: Config): void {
  if (users !== null || isLoopback(new URL(site.url).hostname)) return
  const message =
    'users: none are configured: accounts that a program hands over are not known here; name a module of them, users: ./users.mjs'
  throw new ForgotError('ERR_FORGOT_CONFIG', message)
}

const refusals: Readonly<Record<DeskRefusal, () => Error>> = {
  'no-address': () => new UsageError('name one email address'),
  'no-account': () =>
    new ForgotError(
      'ERR_FORGOT_DESK',
      'There is no account with this address that may be recovered: see users.where and the spelling; two that differ in letter case alone are none',
    ),
  'no-password': () =>
    new ForgotError('ERR_FORGOT_DESK', 'The account signs in elsewhere: it has no password here'),
}

function isRefusal(done: unknown): done is DeskRefusal {
  return typeof done === 'string' && Object.hasOwn(refusals, done)
}
