import Database from 'better-sqlite3'
import { systemClock } from '../src/clock.ts'
import { loadConfig } from '../src/config/load.ts'
import { Opened } from '../src/opened.ts'
import { openStore } from '../src/parts.ts'
import { accountMark } from '../src/proof/account.ts'
import { linkToken } from '../src/proof/link.ts'
import { newResetRequest } from '../src/proof/reset-request.ts'
import { type BenchSite, emailOf } from './site.ts'

const atOnce = 64

/** Makes open recoveries of the accounts from `first` on, as if their mails had been sent: their tokens. */
export async function seedLinks(site: BenchSite, first: number, count: number): Promise<string[]> {
  const config = loadConfig(site.configFile)
  const opened = new Opened()
  const { keys, store } = await openStore(config, opened)
  const parts = { config, clock: systemClock, keys }
  const [hash = ''] = passwords(site)
  const seedOne = async (index: number) => {
    const email = emailOf(index)
    const request = newResetRequest(email, 'en', parts)
    const { id, tokenHash } = await store.resets.request(request)
    const user = { id: String(index + 1), email, name: null, locale: null, version: hash }
    const mark = accountMark(keys, user)
    const now = systemClock.now()
    await store.resets.assign({
      ...{ resetId: id, userId: user.id, accountMark: mark, locale: 'en', now },
    })
    const [job] = await store.jobs.claim({
      ...{ now: now + 1000, leaseMs: 15_000, count: 1, latest: now + 3_600_000 },
      isTooLateOnly: false,
    })
    if (job !== undefined) await store.jobs.finish(job.id, now)
    return linkToken(keys, id, tokenHash) ?? ''
  }
  const tokens: string[] = []
  for (let done = 0; done < count; done += atOnce) {
    const group = Array.from(
      { length: Math.min(atOnce, count - done) },
      (_, at) => first + done + at,
    )
    tokens.push(...(await Promise.all(group.map(seedOne))))
  }
  await opened.close()
  return tokens
}

function passwords({ usersFile }: BenchSite): string[] {
  const database = new Database(usersFile, { readonly: true })
  const rows = database.prepare('select password from users limit 1').all()
  database.close()
  return (rows as { password: string }[]).map(({ password }) => password)
}

/** Fills the store with recoveries of the past day, whose mails were sent, until there are so many. */
export function seedPast(site: BenchSite, count: number): void {
  const database = new Database(site.storeFile)
  const fill = (sql: string) => database.prepare(sql).run(count)
  const each = 'with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)'
  const key = 'lower(hex(randomblob(16)))'
  // Within the last 23 hours: nothing of it is due to be deleted.
  const at = `(${Date.now() - 82_800_000} + i % 79200000)`
  const end = `(${at} + 3600000)`
  database.exec('begin')
  fill(`${each} insert into password_reset select 'past-' || i, ${key}, upper(substr(${key}, 1, 8)),
    'subject-' || abs(random() / 2) || i, 'user-' || i, ${key}, 'en', 'expired', ${at}, ${at}, ${end}, ${end}, 0, null, 0, 0, null
    from n`)
  fill(`${each} insert into mail_job select ${key}, 'recovery', 'past-' || i, (select subject_key from password_reset where id = 'past-' || i), null, 'en', 'sent', 1,
    ${at}, ${end}, ${at}, ${at} + 100, null from n`)
  fill(`${each} insert into audit_event select printf('%09d', i) || ${key}, 'requested', ${at}, 'past-' || i, null, ${key},
    '192.0.2.0', '', ${at}, ${at} from n`)
  database.exec('commit')
  database.pragma('wal_checkpoint(truncate)')
  database.close()
}
