import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { newAccount, settled } from '../attacks/support.ts'
import type { Cli } from '../support/process.ts'
import { newPassword, oldPassword, route, type Site } from '../support/site.ts'
import { codeIn, linkIn } from '../support/smtp.ts'
import { Visitor } from '../support/visitor.ts'
import { eventually, freePort } from '../support/wait.ts'
import { expectInvariants } from './invariants.ts'
import { Served } from './served.ts'
import { restart } from './support.ts'

describe('two processes on one store', () => {
  let served: Served
  let site: Site
  const urls: string[] = []
  const passwords = Array.from({ length: 8 }, (_, index) => `${newPassword} ${index}`)
  beforeAll(async () => {
    served = await Served.prepare({
      recovery: { methods: ['link', 'code'] },
      server: { trustProxy: '127.0.0.1' },
      limits: { perAccount: '2/1h', perClient: '4/10m', badProofs: 'off' },
    })
    site = served.site
    const port = await freePort()
    await Promise.all([served.run(), served.run({ env: { FORGOT_SERVER__PORT: String(port) } })])
    urls.push(site.url, `http://127.0.0.1:${port}`)
  })
  afterAll(async () => {
    // Without their limits: this test is one client and has had its share.
    await served.kill()
    await restart(site, { limits: { perAccount: 'off', perClient: 'off' } })
    await expectInvariants(site, [oldPassword, newPassword, ...passwords])
    await served.stop()
  })

  /** The same client at one process and the other, in turns. */
  let clients = 0
  const inTurns = () => {
    clients += 1
    return (index: number) => {
      const visitor = new Visitor(urls[index % 2] ?? '')
      visitor.headers['x-forwarded-for'] = `192.0.${clients}.1`
      return visitor
    }
  }

  it('Z16 share the limits of clients and of accounts', async () => {
    const client = inTurns()
    const email = newAccount(site).email
    const statuses: number[] = []
    for (const index of [0, 1, 2, 3, 4, 5]) {
      statuses.push((await client(index).post(route, { email })).status)
    }
    expect(statuses).toEqual([303, 303, 303, 303, 429, 429])
    await settled(site)
    expect(site.smtp.mails.filter(({ recipients }) => recipients.includes(email))).toHaveLength(2)
  })

  it('Z16 count the tries of a code together', async () => {
    const client = inTurns()
    const email = newAccount(site).email
    await client(0).post(route, { email })
    const [mail] = await site.smtp.to(email)
    const wrong = codeIn(mail) === '000000' ? '000001' : '000000'
    const tries = [0, 1, 2, 3, 4, 5].map((index) =>
      client(index).post(route, { email, code: wrong }),
    )
    const statuses = (await Promise.all(tries)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 400)).toHaveLength(4)
    expect(statuses.filter((status) => status === 429)).toHaveLength(2)
    const right = await client(1).post(route, { email, code: codeIn(mail) })
    expect([right.status, right.reason]).toEqual([429, 'code-locked'])
  })

  it('Z16 spend a link once, and mail each job once', async () => {
    const client = inTurns()
    const email = newAccount(site).email
    await client(0).post(route, { email })
    const [mail] = await site.smtp.to(email)
    const token = new URL(linkIn(mail)).searchParams.get('token') ?? ''
    site.secrets.add(token)
    const answers = await Promise.all(
      passwords.map((password, index) => client(index).post(route, { token, password })),
    )
    const won = answers.map(({ status }) => status === 303)
    expect(won.filter(Boolean)).toHaveLength(1)
    for (const { status } of answers) expect([303, 404, 410]).toContain(status)
    expect(site.hasPassword(email, passwords[won.indexOf(true)] ?? '')).toBe(true)
    await settled(site)
    expect(site.smtp.mails.filter(({ recipients }) => recipients.includes(email))).toHaveLength(2)
  })

  it('Z16 go on beside a later version that has added to the tables, and an earlier one does not start there', async () => {
    await site.store.execute(`alter table password_reset add column later text not null default 'x';
      alter table mail_job add column later text; create index later on mail_job (later);
      insert into migration values ('9999-later', '2030-01-01')`)
    for (const index of [0, 1]) {
      const email = newAccount(site).email
      const visitor = inTurns()(index)
      await visitor.post(route, { email })
      const [mail] = await site.smtp.to(email)
      const link = `${route}?${linkIn(mail).split('?')[1]}`
      expect((await site.reset(link, newPassword, visitor)).status).toBe(303)
    }
    const remedy = 'migration 9999-later is missing; use the version of this module'
    expect(await served.refusal()).toContain(remedy)
    await site.store.execute("delete from migration where name = '9999-later'")
  })
})

describe('the tables of the store', () => {
  let served: Served
  let site: Site
  beforeAll(async () => {
    served = await Served.prepare()
    site = served.site
  })
  afterEach(() => served.kill())
  afterAll(() => served.stop())

  /** A process that has the store open, and will stop where a statement begins. */
  const begun = async (statement: string): Promise<Cli> => {
    const preload = `--import=${new URL('./halting.ts', import.meta.url).href}`
    const cli = served.launch({ env: { NODE_OPTIONS: preload, HALT_AT: statement } })
    await eventually(() => cli.errors.startsWith('begun'))
    return cli
  }
  const halted = (cli: Cli) => eventually(() => cli.errors === 'begun, halted')

  it('Z27 are made by the last of three processes, when two were killed while they made them', async () => {
    const first = await begun('create index "audit_event_at"')
    await halted(first)
    const second = await begun('insert into "migration" ')
    first.kill('SIGKILL')
    await halted(second)
    // As an older version leaves them: known to be migrated, and not yet migrated.
    expect(await site.store.tables()).toEqual(['migration', 'migration_lock'])
    const third = await begun('nothing')
    second.kill('SIGKILL')
    await third.listening()
    expect(await site.rows('select name from migration order by name')).toEqual([
      { name: '0001-first' },
      { name: '0002-machines' },
      { name: '0003-indexes' },
    ])
    await expectInvariants(site)
  })

  it('Z27 are refused when only some of them are there', async () => {
    await site.store.execute('delete from migration; drop table audit_event')
    const taken = /^store\.url: \S+ cannot be migrated: (?:table|relation) "\w+" already exists; /
    expect(await served.refusal()).toMatch(taken)
  })
})
