import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { newAccount, newAddress } from '../attacks/support.ts'
import { hastened } from '../support/clock.ts'
import type { Cli } from '../support/process.ts'
import { accounts, newPassword, oldPassword, route, Site } from '../support/site.ts'
import { codeIn, linkIn } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'
import { type Disk, makeDisk } from './disk.ts'
import { expectInvariants, masked } from './invariants.ts'
import { Served } from './served.ts'
import { keepWaiting } from './support.ts'

describe('a request behind other writers', () => {
  let site: Site
  beforeAll(async () => {
    site = await Site.start({ recovery: { methods: ['link', 'code'] } })
  })
  afterAll(() => site.stop())

  it('Z13 waits five seconds, then tells everybody the same 503; nothing is compared or counted', async () => {
    const email = newAccount(site).email
    const visitor = site.visitor()
    await visitor.post(route, { email })
    const [mail] = await site.smtp.to(email)
    const code = codeIn(mail)
    const guess = () => visitor.post(route, { code: code === '000000' ? '000001' : '000000' })
    expect((await guess()).reason).toBe('code-wrong')
    // The store's readers go on behind a writer, those of the user table do not.
    const release = await site.store.hold()
    site.database.exec('begin exclusive')
    const started = performance.now()
    const addresses = [email, newAddress(), accounts.mallory.email]
    const asked = addresses.map((address) => site.visitor().post(route, { email: address }))
    const stopped = [visitor.post(route, { code }), site.visitor().get(linkIn(mail))]
    let isAnswered = false
    void Promise.race([...asked, ...stopped]).then(() => {
      isAnswered = true
    })
    expect((await site.visitor().get(route)).status).toBe(200)
    expect((await site.visitor().get('/health')).status).toBe(200)
    expect(isAnswered).toBe(false)
    const all = Promise.all([...asked, ...stopped])
    const answers = await (site.store.isPatient ? all : hastened(all))
    expect(performance.now() - started).toBeGreaterThan(4900)
    expect(performance.now() - started).toBeLessThan(8000)
    for (const answer of answers) {
      const { status, reason, headers } = answer
      expect([status, reason, headers.get('retry-after')]).toEqual([503, 'unavailable', '5'])
    }
    const [one, ...others] = answers
      .slice(0, 3)
      .map((answer, index) => masked(answer, addresses[index] ?? ''))
    expect(others).toEqual([one, one])
    site.database.exec('rollback')
    await release()
    expect((await guess()).reason).toBe('code-wrong')
    expect(await site.rows('select code_tries, tries from password_reset')).toEqual([
      { code_tries: 2, tries: 2 },
    ])
    expect((await visitor.post(route, { code })).status).toBe(303)
    await expectInvariants(site)
  })

  it('Z13 gets its turn among writers who hardly let go', async () => {
    let isOver = false
    const writers = [1, 2].map(async () => {
      while (!isOver) {
        const release = await site.store.hold()
        await sleep(30)
        await release()
        await sleep(5)
      }
    })
    const known = newAccount(site).email
    const visitors = [known, known, newAddress(), newAddress()].map((email) =>
      site.visitor().post(route, { email }),
    )
    expect((await Promise.all(visitors)).map((page) => page.status)).toEqual([303, 303, 303, 303])
    isOver = true
    await Promise.all(writers)
    await expectInvariants(site)
  })
})

describe('a store on a disk that is full', () => {
  let disk: Disk
  let served: Served
  let cli: Cli
  beforeAll(async () => {
    disk = makeDisk()
    // Long enough for the disk to be full before a mail is tried again.
    served = await Served.prepare({ mail: { retries: ['1s'] } }, disk)
    cli = await served.run()
  })
  afterAll(async () => {
    await served.stop()
    disk.remove()
  })
  afterEach(() => expectInvariants(served.site))

  /** To the last byte: what was put away leaves room in the write-ahead log. */
  const fill = async () => {
    const store = new Database(served.site.storeFile)
    for (;;) {
      while (store.pragma('wal_checkpoint(truncate)', { simple: true }) !== 0);
      disk.fill(cli.pid)
      if (statSync(join(disk.folder, 'store.db-wal')).size === 0) break
      // Something was written meanwhile.
      disk.free(cli.pid)
      await sleep(50)
    }
    store.close()
  }

  it('Z14 answers 503, spends nothing and mails nothing, and goes on where it was when there is room', async () => {
    const { site } = served
    const email = newAccount(site).email
    const link = await site.mailedLink(email)
    const waiting = newAccount(site).email
    await keepWaiting(site, waiting)
    await fill()
    const addresses = [newAccount(site).email, newAddress()]
    const asked = await Promise.all(
      addresses.map((address) => site.visitor().post(route, { email: address })),
    )
    const [one, other] = asked.map((page, index) => masked(page, addresses[index] ?? ''))
    expect(one).toEqual(other)
    for (const page of [...asked, await site.reset(link)]) {
      const { status, reason, headers } = page
      expect([status, reason, headers.get('retry-after')]).toEqual([503, 'unavailable', '5'])
    }
    expect(site.hasPassword(email, oldPassword)).toBe(true)
    expect((await site.visitor().get('/health')).status).toBe(200)
    await eventually(() => cli.output.includes('the mail queue cannot be read'))
    expect(site.smtp.mails.filter(({ recipients }) => !recipients.includes(email))).toEqual([])
    disk.free(cli.pid)
    expect((await site.reset(link)).status).toBe(303)
    expect(site.hasPassword(email, newPassword)).toBe(true)
    await site.smtp.to(waiting)
    // What was answered with 503 is not mailed later either.
    const requests = 'select 1 from password_reset'
    expect(await site.rows(requests)).toHaveLength(2)
  })

  it('Z14 is not ready for as long as nothing can be written', async () => {
    await fill()
    try {
      const page = await served.site.visitor().get('/ready')
      expect([page.status, JSON.parse(page.body)['store']]).toEqual([503, 'down'])
    } finally {
      disk.free(cli.pid)
    }
  })
})
