import { type AddressInfo, createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeyRing } from '../../src/proof/secret.ts'
import { TimelyUsers } from '../../src/users/timely.ts'
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
  eventually(async () => {
    const found = await jobs()
    return found.every((job) => !['queued', 'sending'].includes(job.state)) && found
  })

beforeEach(async () => {
  site = await Site.start()
})
afterEach(() => site.stop())

// The site's clock stands still in most tests: retries wait in its time, so it is moved along.
async function letTimePass(until: () => unknown, stepMs = 100): Promise<void> {
  await eventually(async () => {
    site.clock.move(stepMs)
    return (await until()) || null
  })
}

describe('while the mail server', () => {
  it('is away, nobody notices but the queue; then the mail arrives, once', async () => {
    await site.smtp.stop()
    const page = await site.visitor().post(route, { email: alice.email })
    expect(page.status).toBe(303)
    await eventually(async () => (await jobs())[0]?.last_error)
    await site.smtp.listen()
    await letTimePass(() => site.smtp.mails.length > 0)
    expect(await ended()).toMatchObject([{ state: 'sent', sealed_address: null, last_error: null }])
    expect(site.smtp.mails).toHaveLength(1)
  })

  it.each(['connect', 'rcpt', 'data'] as const)(
    'says “later” at %s, the same mail is tried again',
    async (at) => {
      // The check at the start has a connection of its own.
      await site.visitor().get('/ready')
      site.smtp.refusals.push({ code: 451, at }, { code: 451, at })
      await site.visitor().post(route, { email: alice.email })
      await letTimePass(() => site.smtp.mails.length > 0)
      // At connect it was no mail that met the second refusal, but the question whether it is back.
      expect(await ended()).toMatchObject([{ state: 'sent', attempts: at === 'connect' ? 2 : 3 }])
      expect((await site.reset(linkIn(site.smtp.mails[0]))).status).toBe(303)
    },
  )

  it('says “never”, the mail is given up at once, and the owner sees why', async () => {
    site.smtp.refusals.push({ code: 550, at: 'rcpt' })
    await site.visitor().post(route, { email: alice.email })
    const [job] = await ended()
    expect(job).toMatchObject({ state: 'dead', attempts: 1 })
    expect(job?.last_error).toContain('550')
    expect(job?.last_error).not.toContain('alice')
    expect(site.smtp.mails).toEqual([])
  })

  it('never gets better, its mails wait for as long as their links work', async () => {
    await site.server?.close()
    site.config = { ...site.config, recovery: { linkLifetime: '8s' } }
    await site.listen()
    await site.smtp.stop()
    await site.visitor().post(route, { email: alice.email })
    await letTimePass(async () => (await jobs())[0]?.state === 'dead', 200)
    const [job] = await jobs()
    expect(job).toMatchObject({ state: 'dead', last_error: 'expired', sealed_address: null })
    // The server is asked whether it is back, and the mail loses none of its tries for that.
    expect(job?.attempts).toBeLessThan(3)
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
  await eventually(async () => (await jobs())[0]?.last_error)
  site.clock.move(hours(1))
  await site.smtp.listen()
  expect(await ended()).toMatchObject([{ state: 'dead', last_error: 'expired' }])
  expect(site.smtp.mails).toEqual([])
})

it('tells of a changed password for a day, however long the mail server is away', async () => {
  const link = await site.mailedLink(alice.email)
  await site.smtp.stop()
  await site.reset(link)
  const notice = async () => (await jobs()).find((job) => job.kind === 'changed')
  await eventually(async () => (await notice())?.last_error)
  site.clock.move(hours(23))
  await site.smtp.listen()
  await letTimePass(async () => (await notice())?.state === 'sent')
  expect(site.smtp.mails[1]?.mail.subject).toContain('was changed')
})

it('lets hundreds of addresses without an account keep nobody waiting', async () => {
  const visitor = site.visitor()
  for (let index = 0; index < 250; index += 1) {
    await visitor.post(route, { email: `nobody${index}@site.example` })
  }
  const started = performance.now()
  await site.mailedLink(alice.email)
  expect(performance.now() - started).toBeLessThan(3000)
})

it('gives up on a mail server that drips its answers, and tries again', async () => {
  const drips: NodeJS.Timeout[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.write('220 drip\r\n')
    socket.on('data', (data) => {
      const isRecipient = data.toString().startsWith('RCPT')
      // A character now and then, and never the end of the line: no time-out between bytes notices.
      if (isRecipient) drips.push(setInterval(() => socket.write('2'), 50))
      else socket.write('250 ok\r\n')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await site.server?.close()
  site.config = { ...site.config, smtp: { ...site.config.smtp, port, timeout: '200ms', pool: 1 } }
  await site.listen()
  await site.visitor().post(route, { email: alice.email })
  await letTimePass(async () => ((await jobs())[0]?.attempts ?? 0) > 1)
  for (const drip of drips) clearInterval(drip)
  server.close()
})

it('waits for no account for ever', async () => {
  const users = new TimelyUsers(
    {
      findByEmail: () => new Promise(() => {}),
      findById: async () => null,
      setPassword: async () => false,
    },
    50,
  )
  await site.server?.close()
  await site.listen({ users })
  await site.visitor().post(route, { email: alice.email })
  await eventually(async () => (await jobs())[0]?.last_error)
  expect(await jobs()).toMatchObject([
    { state: 'queued', last_error: 'The mail could not be made' },
  ])
})

it('tells of a password that was written by accounts that then failed', async () => {
  const link = await site.mailedLink(alice.email)
  site.database.exec(
    "create trigger late after update on members begin select raise(fail, 'after all'); end",
  )
  // RAISE(FAIL) leaves what was written, and SQLite rolls the transaction back: so it is written here.
  const answer = await site.reset(link)
  expect(answer.status).toBe(503)
  site.database.exec(
    "drop trigger late; update members set pw_hash = 'written' where member_no = 1",
  )
  await letTimePass(
    async () => (await jobs()).find((job) => job.kind === 'changed')?.state === 'sent',
  )
  expect((await site.visitor().get(link)).reason).toBe('link-invalid')
})

it('says so when it cannot read an address any more', async () => {
  await site.smtp.stop()
  await site.visitor().post(route, { email: alice.email })
  await site.server?.close()
  await site.rekey()
  site.config = { ...site.config, secret: secret.replaceAll('b', 'c') }
  await site.smtp.listen()
  await site.listen()
  await letTimePass(async () => (await jobs())[0]?.state === 'dead')
  expect((await jobs())[0]?.last_error).toContain('sealed with a secret that is no longer listed')
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
    return { link, edit: (sql: string) => site.store.execute(sql) }
  }

  it('writing the password, nobody is told that it was changed', async () => {
    const { edit } = await spend()
    await edit("update password_reset set state = 'used', ended_at = created_at")
    await edit(noticeSql())
    await site.listen()
    await letTimePass(
      async () => (await jobs()).find((job) => job.kind === 'changed')?.state === 'dropped',
    )
    expect(site.smtp.mails).toHaveLength(1)
    expect(site.hasPassword(alice.email, oldPassword)).toBe(true)
    // And the link, which nothing came of, works.
    expect((await site.reset(linkIn(site.smtp.mails[0]))).status).toBe(303)
  })

  it('telling the account, it is told after the start', async () => {
    const { edit } = await spend()
    await edit("update password_reset set state = 'used', ended_at = created_at")
    await edit(noticeSql())
    site.database.exec("update members set pw_hash = 'written before the end' where member_no = 1")
    await site.listen()
    await letTimePass(() => site.smtp.mails.length > 1)
    expect(site.smtp.mails[1]?.mail.subject).toContain('was changed')
  })
})

it('stops with what is on its way finished', async () => {
  const visitor = site.visitor()
  await site.reset(await site.mailedLink(alice.email), newPassword, visitor)
  await eventually(async () =>
    (await jobs()).some((job) => job.kind === 'changed' && job.state !== 'queued'),
  )
  await site.server?.close()
  expect((await jobs()).filter((job) => job.state === 'sending')).toEqual([])
})

/** The notice that the spending transaction leaves, due when nobody has confirmed it. */
function noticeSql(): string {
  const sealed = new KeyRing([secret]).seal('recipient', alice.email)
  const now = site.clock.now()
  return `insert into mail_job (id, kind, reset_id, subject_key, locale, sealed_address, state, attempts, created_at, expires_at, due_at)
    select 'notice', 'changed', id, 'subject', 'en', '${sealed}', 'queued', 0, ${now}, ${now + hours(24)}, ${now + 1000} from password_reset`
}
