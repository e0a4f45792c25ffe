import { expect, it } from 'vitest'
import type { Fault } from '../support/relay.ts'
import { accounts, newPassword, route } from '../support/site.ts'
import { codeIn, linkIn } from '../support/smtp.ts'
import { allSent, ask, attemptsOf, letTimePass, Relayed } from './relayed.ts'

const { alice } = accounts

const relayed = new Relayed({
  recovery: { methods: ['link', 'code'] },
  smtp: { timeout: '100ms' },
})

it.each<[string, Fault]>([
  ['is reset', 'reset'],
  ['ends', 'close'],
])('Z6 a connection that %s in the middle of a mail costs it one more try', async (_, fault) => {
  const { relay, site } = relayed
  relay.fail('text', fault, 1)
  await ask(site, alice.email)
  await letTimePass(site, () => allSent(site))
  expect(await attemptsOf(site)).toEqual([2])
  expect(relay.given).toHaveLength(1)
  expect((await site.reset(linkIn(relay.taken[0]))).status).toBe(303)
})

it.each<[string, Fault]>([
  ['is reset', 'reset'],
  ['ends', 'close'],
  ['falls silent', 'silence'],
])(
  'Z6 a connection that %s before the 250 duplicates the mail with its name, its link and its code',
  async (_, fault) => {
    const { relay, site } = relayed
    relay.fail('dot', fault, 1)
    const visitor = site.visitor()
    const sent = await visitor.follow(await visitor.post(route, { email: alice.email }))
    await letTimePass(site, () => allSent(site))
    expect(relay.taken).toHaveLength(2)
    expect(new Set(relay.taken.map(({ mail }) => mail.messageId)).size).toBe(1)
    expect(new Set(relay.taken.map(linkIn)).size).toBe(1)
    const [code = '', ...others] = new Set(relay.taken.map(codeIn))
    expect(others).toEqual([])
    for (const { mail } of relay.taken) expect(mail.text).toContain(sent.reference)
    for (const secret of [code, newPassword]) site.secrets.add(secret)
    const form = await visitor.follow(await visitor.post(route, { code }))
    const fields = { password: newPassword, confirm: newPassword, csrf: form.field('csrf') }
    expect((await visitor.post(route, fields)).status).toBe(303)
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
    // Both of them are spent with it.
    expect((await site.visitor().get(linkIn(relay.taken[0]))).reason).toBe('link-used')
  },
)
