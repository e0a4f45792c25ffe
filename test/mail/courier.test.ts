import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeyRing } from '../../src/proof/secret.ts'
import { hours } from '../support/clock.ts'
import { accounts, newPassword, oldPassword, route, Site, secret } from '../support/site.ts'
import { linkIn } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'

const { alice, bob } = accounts

interface Job {
  kind: string
  state: string
  attempts: number
  sealed_address: string | null
  last_error: string | null
}

let site: Site
const jobs = () => site.rows<Job>('select * from mail_job order by created_at, id')
const ended = () =>
  eventually(() =>
    jobs().every((job) => !['queued', 'sending'].includes(job.state)) ? jobs() : null,
  )

beforeEach(async () => {
  site = await Site.start()
})
afterEach(() => site.stop())

// The site's clock stands still in most tests: retries wait in its time, so it is moved along.
async function letTimePass(until: () => unknown): Promise<void> {
  await eventually(() => {
    site.clock.move(100)
    return until() || null
  })
}

describe('while the mail server', () => {
  it('is away, nobody notices but the queue; then the mail arrives, once', async () => {
    await site.smtp.stop()
    const page = await site.visitor().post(route, { email: alice.email })
    expect(page.status).toBe(303)
    await eventually(() => jobs()[0]?.last_error)
    await site.smtp.listen()
    await letTimePass(() => site.smtp.mails.length > 0)
    expect(await ended()).toMatchObject([{ state: 'sent', sealed_address: null, last_error: null }])
    expect(site.smtp.mails).toHaveLength(1)
  })

  it.each(['connect', 'rcpt', 'data'] as const)(
    'says “later” at %s, the same mail is tried again',
    async (at) => {
      site.smtp.refusals.push({ code: 451, at }, { code: 451, at })
      await site.visitor().post(route, { email: alice.email })
      await letTimePass(() => site.smtp.mails.length > 0)
      expect(await ended()).toMatchObject([{ state: 'sent', attempts: 3 }])
      expect((await site.reset(linkIn(site.smtp.mails[0]))).status).toBe(303)
    },
  )

  it('says “never”, the mail is given up at once, and the owner sees why', async () => {
    site.smtp.refusals.push({ code: 550, at: 'rcpt' })
    await site.visitor().post(route, { email: alice.email })
    const [job] = await ended()
    expect(job).toMatchObject({ state: 'dead', attempts: 1, sealed_address: null })
    expect(job?.last_error).toContain('550')
    expect(job?.last_error).not.toContain('alice')
    expect(site.smtp.mails).toEqual([])
  })

  it('never gets better, the mail is given up after the last try', async () => {
    site.smtp.refusals.push(
      ...Array.from({ length: 9 }, () => ({ code: 421, at: 'rcpt' }) as const),
    )
    await site.visitor().post(route, { email: alice.email })
    await letTimePass(() => jobs()[0]?.state === 'dead')
    expect(jobs()).toMatchObject([{ state: 'dead', attempts: 5 }])
  })
})

it('repeats a mail with the same Message-ID and the same link when its “250” was lost', async () => {
  // The first is kept by the server, but the courier hears 451.
  await site.smtp.stop()
  let count = 0
  const ids: (string | undefined)[] = []
  await site.smtp.listen(undefined, {
    onData: (stream, _session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const raw = Buffer.concat(chunks).toString()
        ids.push(
          `${/^message-id: (.+)$/im.exec(raw)?.[1]} ${/\?token=3D[\w=\r\n-]+/.exec(raw)?.[0]}`,
        )
        count += 1
        done(count === 1 ? Object.assign(new Error('lost'), { responseCode: 451 }) : null)
      })
    },
  })
  await site.visitor().post(route, { email: alice.email })
  await letTimePass(() => ids.length === 2)
  expect(ids[1]).toBe(ids[0])
  await ended()
})

it('mails nothing after the link has expired', async () => {
  await site.smtp.stop()
  await site.visitor().post(route, { email: alice.email })
  await eventually(() => jobs()[0]?.last_error)
  site.clock.move(hours(1))
  await site.smtp.listen()
  expect(await ended()).toMatchObject([{ state: 'dead', last_error: 'expired' }])
  expect(site.smtp.mails).toEqual([])
})

it('lets no mail wait for another that is stuck', async () => {
  await site.smtp.stop()
  await site.smtp.listen(undefined, {
    onRcptTo: (address, _session, done) => {
      // Says nothing to the first recipient until the courier gives up.
      if (!address.address.startsWith('alice')) done()
    },
  })
  await site.visitor().post(route, { email: alice.email })
  await site.visitor().post(route, { email: bob.email })
  await site.smtp.to(bob.email)
  expect(site.smtp.mails).toHaveLength(1)
})

it('forgets an address as soon as it is known to have no account', async () => {
  await site.visitor().post(route, { email: 'nobody@site.example' })
  expect(await ended()).toMatchObject([{ state: 'dropped', sealed_address: null }])
})

it('keeps what it was given when the server stops, and sends it after the start', async () => {
  await site.smtp.stop()
  await site.visitor().post(route, { email: alice.email })
  await site.server?.close()
  await site.smtp.listen()
  await site.listen()
  await letTimePass(() => site.smtp.mails.length > 0)
  expect((await site.reset(linkIn(site.smtp.mails[0]))).status).toBe(303)
})

describe('when the process dies between spending a link and', () => {
  const spend = async () => {
    const link = await site.mailedLink(alice.email)
    await site.server?.close()
    return { link, edit: (sql: string) => editStore(sql) }
  }

  it('writing the password, nobody is told that it was changed', async () => {
    const { edit } = await spend()
    edit("update password_reset set state = 'used', ended_at = created_at")
    edit(noticeSql())
    await site.listen()
    await letTimePass(() => jobs().find((job) => job.kind === 'changed')?.state === 'dropped')
    expect(site.smtp.mails).toHaveLength(1)
    expect(site.hasPassword(alice.email, oldPassword)).toBe(true)
  })

  it('telling the account, it is told after the start', async () => {
    const { edit } = await spend()
    edit("update password_reset set state = 'used', ended_at = created_at")
    edit(noticeSql())
    site.database.exec("update members set pw_hash = 'written before the end' where member_no = 1")
    await site.listen()
    await letTimePass(() => site.smtp.mails.length > 1)
    expect(site.smtp.mails[1]?.mail.subject).toContain('was changed')
  })
})

it('stops with what is on its way finished', async () => {
  const visitor = site.visitor()
  await site.reset(await site.mailedLink(alice.email), newPassword, visitor)
  await eventually(() => jobs().some((job) => job.kind === 'changed' && job.state !== 'queued'))
  await site.server?.close()
  expect(jobs().filter((job) => job.state === 'sending')).toEqual([])
})

function editStore(sql: string): void {
  const store = new Database(site.storeFile)
  store.exec(sql)
  store.close()
}

/** The notice that the spending transaction leaves, due when nobody has confirmed it. */
function noticeSql(): string {
  const sealed = new KeyRing([secret]).seal('recipient', alice.email)
  const now = site.clock.now()
  return `insert into mail_job (id, kind, reset_id, subject_key, sealed_address, state, attempts, created_at, expires_at, due_at)
    select 'notice', 'changed', id, 'subject', '${sealed}', 'queued', 0, ${now}, ${now + hours(24)}, ${now + 1000} from password_reset`
}
