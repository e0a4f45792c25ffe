import { connect } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { newAccount, newAddress } from '../attacks/support.ts'
import type { Cli } from '../support/process.ts'
import { newPassword, oldPassword, route, type Site } from '../support/site.ts'
import { codeIn, linkIn, type Received } from '../support/smtp.ts'
import type { Page, Visitor } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'
import { expectInvariants } from './invariants.ts'
import { Served } from './served.ts'
import { linksOf, mailTo, restart } from './support.ts'

describe('a server that is told to stop', () => {
  let served: Served
  let site: Site
  let cli: Cli
  beforeAll(async () => {
    served = await Served.prepare({ mail: { retries: ['200ms'] } })
    site = served.site
  })
  beforeEach(async () => {
    await site.server?.close()
    cli = await served.run()
  })
  afterAll(() => served.stop())

  const arrived = () => cli.output.match(/"POST".*"incoming request"/g)?.length ?? 0
  const tellToStop = () => {
    cli.kill('SIGTERM')
    return eventually(() => cli.output.includes('"stopping"'))
  }
  const statuses = async (answers: readonly Promise<Page>[]) => {
    const settled = await Promise.allSettled(answers)
    return settled.map((each) => (each.status === 'fulfilled' ? each.value.status : each.reason))
  }

  /** Requests that have arrived and cannot be answered yet: the store is held. */
  const load = async (emails: readonly string[]) => {
    const people = await Promise.all(
      [newAccount(site).email, newAccount(site).email].map(async (email) => {
        const link = await site.mailedLink(email)
        const visitor = site.visitor()
        const form = await visitor.follow(await visitor.get(link))
        return { email, visitor, fields: { password: newPassword, csrf: form.field('csrf') } }
      }),
    )
    const before = arrived()
    const release = await site.store.hold()
    const answers = [
      ...people.map(({ visitor, fields }) => visitor.post(route, fields)),
      ...emails.map((email) => site.visitor().post(route, { email })),
    ]
    await eventually(() => arrived() === before + answers.length)
    return { people, answers, release }
  }

  it('Z18 answers what has arrived, takes nothing new, and keeps the mails that wait', async () => {
    const known = [1, 2, 3, 4].map(() => newAccount(site).email)
    const { people, answers, release } = await load([...known, newAddress(), newAddress()])
    site.smtp.refusals.push(...Array(50).fill({ code: 451, at: 'rcpt' }))
    const kept = keptConnection(site)
    const before = arrived()
    kept.send(`POST ${route}`, 'email=nobody%40site.example')
    await eventually(() => arrived() > before)
    const started = performance.now()
    await tellToStop()
    kept.send(`GET ${route}`)
    // Until its socket is closed, who comes is turned away.
    await eventually(async () => {
      const late = site.visitor().get(route)
      const status = await late.then(
        (page) => page.status,
        (error: NodeJS.ErrnoException) => error.code,
      )
      expect([503, 'ECONNRESET', 'ECONNREFUSED']).toContain(status)
      return status === 'ECONNREFUSED'
    })
    await release()
    expect(await statuses(answers)).toEqual(answers.map(() => 303))
    const [first, ...others] = await kept.statuses()
    expect(first).toBe('303')
    // It may be cut off before it is told.
    for (const status of others) expect(status).toBe('503')
    expect(await cli.ended()).toBe(0)
    expect(performance.now() - started).toBeLessThan(10_000)
    for (const { email } of people) expect(site.hasPassword(email, newPassword)).toBe(true)
    const isMailed = ({ recipients }: Received) => known.some((email) => recipients.includes(email))
    expect(site.smtp.mails.filter(isMailed)).toEqual([])
    site.smtp.refusals.length = 0
    await site.listen()
    await Promise.all(known.map((email) => mailTo(site, email)))
    await expectInvariants(site)
  })

  it('Z18 finishes although it is told to stop once more', async () => {
    const { answers, release } = await load([newAccount(site).email, newAddress()])
    await tellToStop()
    cli.kill('SIGTERM')
    await release()
    expect(await statuses(answers)).toEqual(answers.map(() => 303))
    expect(await cli.ended()).toBe(0)
    await site.listen()
    await expectInvariants(site)
  })
})

/** A connection on which a second request can follow before the first is answered. */
function keptConnection(site: Site) {
  const socket = connect(Number(new URL(site.url).port), '127.0.0.1')
  let answer = ''
  socket.on('data', (data) => {
    answer += data.toString()
  })
  const ended = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => {})
  const headers = 'Host: x\r\nSec-Fetch-Site: same-origin\r\n'
  const type = 'Content-Type: application/x-www-form-urlencoded\r\n'
  return {
    send: (line: string, body = '') =>
      socket.write(
        `${line} HTTP/1.1\r\n${headers}${body && type}Content-Length: ${body.length}\r\n\r\n${body}`,
      ),
    statuses: async () => {
      await ended
      return [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status)
    },
  }
}

it('Z19 a link, a code, a form, a button and every count mean after kill -9 what they meant before', async () => {
  const served = await Served.prepare({
    recovery: { methods: ['link', 'code'] },
    server: { trustProxy: '127.0.0.1' },
    limits: { perAccount: '3/1h', perClient: '2/10m', badProofs: '30/15m' },
  })
  const { site } = served
  onTestFinished(() => served.stop())
  await served.run()
  const from = (address: string) => {
    const visitor = site.visitor()
    visitor.headers['x-forwarded-for'] = address
    return visitor
  }
  const ask = async (visitor: Visitor, email: string) =>
    (await visitor.post(route, { email })).status
  const email = newAccount(site).email
  const linked = from('192.0.2.1')
  expect(await ask(linked, email)).toBe(303)
  const [mail] = await site.smtp.to(email)
  const form = await linked.follow(await linked.get(linkIn(mail)))
  // Somebody else, who has typed four wrong codes of five, and whose client has no request left.
  const other = newAccount(site).email
  const typing = from('198.51.100.1')
  expect([await ask(typing, other), await ask(typing, other)]).toEqual([303, 303])
  const [first] = await site.smtp.to(other, 2)
  const code = codeIn(first)
  const guess = () => typing.post(route, { code: code === '000000' ? '000001' : '000000' })
  for (const _ of [1, 2, 3, 4]) expect((await guess()).status).toBe(400)
  // A third account, which uses its last mail.
  const third = newAccount(site).email
  for (const index of [1, 2, 3]) expect(await ask(from(`203.0.${index}.1`), third)).toBe(303)
  await site.smtp.to(third, 3)

  await served.kill()
  await site.listen()
  expect((await typing.post(route, { email: other })).status).toBe(429)
  const locked = await guess()
  expect([locked.status, locked.reason]).toEqual([429, 'code-locked'])
  const second = from('192.0.2.2')
  expect((await second.follow(await second.get(linkIn(first)))).step).toBe('reset')
  expect(await ask(from('203.0.113.1'), third)).toBe(303)
  const revoke = linksOf(first).find((link) => link.includes('?revoke=')) ?? ''
  const button = await second.get(revoke)
  const pressed = await second.post(route, { revoke: button.field('revoke') })
  expect(pressed.headers.get('location')).toBe(`${route}?step=revoked`)
  const changed = { password: newPassword, csrf: form.field('csrf') }
  expect((await linked.post(route, changed)).headers.get('location')).toBe(`${route}?step=done`)
  expect(site.hasPassword(email, newPassword)).toBe(true)
  expect(site.hasPassword(other, oldPassword)).toBe(true)
  await site.smtp.to(email, 2)
  expect(site.smtp.mails.filter(({ recipients }) => recipients.includes(third))).toHaveLength(3)
  await restart(site, { limits: { perAccount: 'off', perClient: 'off', badProofs: 'off' } })
  await expectInvariants(site)
})
