import { afterEach, expect, it } from 'vitest'
import { accounts, route, Site } from './support/site.ts'

let site: Site
afterEach(() => site.stop())

const ask = (email: string, headers: Record<string, string> = {}) =>
  site.visitor().post(route, { email }, headers)

it('counts a client’s requests, and says in words and in seconds how long to wait', async () => {
  site = await Site.start({ limits: { perClient: '2/10m' } })
  for (const each of [1, 2]) expect((await ask(`p${each}@site.example`)).status).toBe(303)
  const page = await ask(accounts.alice.email)
  expect([page.status, page.step, page.reason]).toEqual([429, 'error', 'too-many-requests'])
  expect(page.body).toContain('10 minutes')
  const seconds = Number(page.headers.get('retry-after'))
  expect(seconds).toBeGreaterThan(590)
  expect(seconds).toBeLessThanOrEqual(600)
  expect(await site.rows('select * from mail_job')).toHaveLength(2)
})

it('goes on counting after a restart', async () => {
  site = await Site.start({ limits: { perClient: '1/10m' } })
  await ask('one@site.example')
  await site.server?.close()
  await site.listen()
  expect((await ask('two@site.example')).status).toBe(429)
})

it('tells clients behind a declared proxy apart, and takes an IPv6 network for one', async () => {
  site = await Site.start({ server: { trustProxy: '127.0.0.1' }, limits: { perClient: '1/10m' } })
  const from = async (ip: string) => (await ask('p@site.example', { 'x-forwarded-for': ip })).status
  expect(await from('192.0.2.1')).toBe(303)
  expect(await from('192.0.2.2')).toBe(303)
  expect(await from('192.0.2.1')).toBe(429)
  expect(await from('2001:db8:1:1::1')).toBe(303)
  expect(await from('2001:db8:1:1:ffff::2')).toBe(429)
  expect(await from('2001:db8:1:2::1')).toBe(303)
})

it('never stops a valid link, whatever its client did before', async () => {
  site = await Site.start({ limits: { perClient: '1/10m', badProofs: '1/15m' } })
  const link = await site.mailedLink(accounts.alice.email)
  const bad = () => site.visitor().get(`${route}?token=${'x'.repeat(43)}`)
  expect((await bad()).status).toBe(404)
  expect((await bad()).status).toBe(429)
  expect((await ask('other@site.example')).status).toBe(429)
  expect((await site.reset(link)).status).toBe(303)
})

it('counts no link that once worked, however often it is tried', async () => {
  site = await Site.start({ limits: { badProofs: '1/15m' } })
  const link = await site.mailedLink(accounts.alice.email)
  await site.reset(link)
  for (const each of [1, 2, 3])
    expect([each, (await site.visitor().get(link)).status]).toEqual([each, 410])
  expect((await site.visitor().get(`${route}?token=${'x'.repeat(43)}`)).status).toBe(404)
})

it('counts what cannot revoke anything as a bad proof', async () => {
  site = await Site.start({ limits: { badProofs: '1/15m' } })
  const bad = () => site.visitor().post(route, { revoke: `${'x'.repeat(31)}.${'x'.repeat(43)}` })
  expect((await bad()).status).toBe(404)
  expect((await bad()).status).toBe(429)
  expect((await site.visitor().get(`${route}?token=${'x'.repeat(43)}`)).status).toBe(429)
})

it('counts a reference that nobody has as a bad proof', async () => {
  site = await Site.start({
    recovery: { methods: ['link', 'code'] },
    limits: { badProofs: '1/15m' },
  })
  const bad = () => site.visitor().post(route, { code: '123456', reference: 'AAAA-2222' })
  const [first, second] = [await bad(), await bad()]
  expect([first.status, first.reason]).toEqual([400, 'reference-unknown'])
  expect([second.status, second.reason]).toEqual([429, 'too-many-requests'])
})
