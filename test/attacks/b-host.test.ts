import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { Cli } from '../support/process.ts'
import { newPassword, route, type Site } from '../support/site.ts'
import type { Page } from '../support/visitor.ts'
import { ask, Client, outcome } from './client.ts'
import { exchange } from './raw.ts'
import { attackedSite, type Format, formats, newAccount, watchMail } from './support.ts'

const site = attackedSite()
const evil = 'https://evil.example/'

interface Poison {
  readonly headers?: Record<string, string>
  readonly fields?: object
  readonly query?: string
}

/** The mail that is asked for with a poison is the one that is asked for without it, to the letter. */
async function expectSameMail(on: Site, format: Format, poison: Poison): Promise<void> {
  const { email } = newAccount(on)
  const client = new Client(on, format)
  const { mail, link } = await ask(on, email, client)
  const { fields = {}, ...more } = poison
  const poisoned = await ask(on, email, client, fields, more)
  expect(poisoned.link, JSON.stringify(poison)).toBe(link)
  const parts = ({ mail: { from, to, subject, text, html } }: typeof mail) => [
    from,
    to,
    subject,
    text,
    html,
  ]
  expect(parts(poisoned.mail)).toEqual(parts(mail))
  expect(poisoned.mail.raw).not.toContain('evil')
  expectCleanAnswer(poisoned.page)
}

function expectCleanAnswer(page: Page): void {
  expect(JSON.stringify([...page.headers])).not.toContain('evil')
  expect(page.body).not.toContain('evil')
}

const hosts = (port: string) => [
  'evil.example',
  'evil.example:80',
  `evil.example:${port}`,
  `127.0.0.1:${port}.evil.example`,
  `127.0.0.1:${port}@evil.example`,
  `127.0.0.1/evil.example`,
]

// Read by a server that takes what a proxy says for true, and by one that does not.
const forwarded: readonly Record<string, string>[] = [
  { 'x-forwarded-host': 'evil.example' },
  { 'x-forwarded-host': 'evil.example, 127.0.0.1' },
  { 'x-forwarded-proto': 'https' },
  { 'x-forwarded-proto': 'evil' },
  { 'x-forwarded-port': '666' },
  { 'x-forwarded-prefix': '/evil' },
  { 'x-forwarded-server': 'evil.example' },
  { 'x-forwarded-for': 'evil.example' },
  { forwarded: 'for=192.0.2.1;host=evil.example;proto=https' },
  { 'x-host': 'evil.example' },
  { 'x-http-host-override': 'evil.example' },
  { 'x-original-host': 'evil.example' },
  { 'x-original-url': evil },
  { 'x-rewrite-url': `/evil${route}` },
  { 'x-http-method-override': 'EVIL' },
  { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
]

const fields = [
  'reset_url',
  'resetUrl',
  'redirectTo',
  'redirect_to',
  'callbackURL',
  'linkUrl',
  'next',
  'return_to',
  'returnTo',
  'url',
  'site',
  'host',
  'action',
]

describe.each(formats)('by $name', (format) => {
  it('B1 links to the site, whatever host a request is sent to', async () => {
    const poisons = hosts(new URL(site().url).port).map((host) => ({ headers: { host } }))
    await Promise.all(poisons.map((poison) => expectSameMail(site(), format, poison)))
    const { link } = await ask(site(), newAccount(site()).email, new Client(site(), format))
    expect(link).toMatch(new RegExp(`^${site().url}${route}\\?token=[\\w-]{43}$`))
  })

  it('B2 links to the site, whatever a proxy is said to have forwarded', async () => {
    await Promise.all(forwarded.map((headers) => expectSameMail(site(), format, { headers })))
  })

  it('B5 links to the site and goes on there, whatever address a request brings', async () => {
    for (const value of [evil, '//evil.example', 'javascript:evil', '{token}.evil.example']) {
      const brought = Object.fromEntries(fields.map((name) => [name, value]))
      const query = `?${new URLSearchParams(brought)}`
      await expectSameMail(site(), format, { fields: brought, query })
    }
  })

  it('B5 ends a recovery on the site, whatever address each step brings', async () => {
    const brought = Object.fromEntries(fields.map((name) => [name, evil]))
    const { client, link } = await ask(site(), newAccount(site()).email, new Client(site(), format))
    const form = await client.open(`${link}&${new URLSearchParams(brought)}`)
    const changed = await client.change(newPassword, brought)
    expect([form, changed].map(outcome)).toEqual(['reset', 'done'])
    for (const page of [form, changed]) expectCleanAnswer(page)
  })

  it('B9 links to the site, whatever page a request says it comes from', async () => {
    for (const referer of [
      `${evil}x`,
      'evil',
      `https://evil.example@${new URL(site().url).host}/`,
    ]) {
      await expectSameMail(site(), format, { headers: { referer } })
    }
  })

  it('B9 mails nobody for a request from another site’s page', async () => {
    const { email } = newAccount(site())
    const mails = await watchMail(site())
    for (const origin of [
      'https://evil.example',
      'null',
      site().url.replace('http:', 'https:'),
      `${site().url}.evil.example`,
      `${site().url}0`,
    ]) {
      // Where the browser says no more than that.
      const headers = { origin, 'sec-fetch-site': '' }
      const page = await new Client(site(), format).post({ email }, { headers })
      expect(outcome(page), origin).toBe('403 cross-site')
      expectCleanAnswer(page)
    }
    expect(await mails()).toEqual([])
  })
})

describe.each(formats)('by $name, behind a proxy that is believed', (format) => {
  const proxied = attackedSite({ server: { trustProxy: '127.0.0.1' } })

  it('B2 links to the site, whatever the proxy has forwarded', async () => {
    await Promise.all(forwarded.map((headers) => expectSameMail(proxied(), format, { headers })))
  })
})

describe('for a site under https', () => {
  const secure = attackedSite({
    site: { name: 'Riverside', url: 'https://site.example' },
    server: { trustProxy: '127.0.0.1' },
  })

  it.each(formats)('B7 links to https, however a request by $name has come', async (format) => {
    const { email } = newAccount(secure())
    const client = new Client(secure(), format)
    for (const headers of [
      {},
      { 'x-forwarded-proto': 'http' },
      { 'x-forwarded-proto': 'http', 'x-forwarded-port': '80', forwarded: 'proto=http' },
    ] as Record<string, string>[]) {
      const { link, mail } = await ask(secure(), email, client, {}, { headers })
      expect(link).toMatch(/^https:\/\/site\.example\/user\/forgot-password\?token=/)
      expect(mail.raw).not.toContain('http://')
    }
  })
})

it('B1 links to the site, also when the host is in the request line', async () => {
  const { email } = newAccount(site())
  const { link } = await ask(site(), email)
  const mails = await watchMail(site())
  const answer = await exchange(site(), {
    method: 'POST',
    path: `http://evil.example${route}`,
    headers: { host: 'evil.example', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ email }).toString(),
  })
  expect(JSON.stringify(answer)).not.toContain('evil')
  for (const { mail } of await mails()) expect(mail.text).toContain(link)
  expect(JSON.stringify(await mails())).not.toContain('evil')
})

it('B7 does not start for a site over plain http', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'forgot-'))
  const urls = ['http://prod.example', 'http://192.0.2.1:8080', 'http://127.0.0.1.evil.example']
  const started = urls.map((url, index) => {
    const file = join(folder, `config-${index}.yaml`)
    writeFileSync(file, stringify({ ...site().config, site: { name: 'Riverside', url } }))
    return new Cli(['serve', '--config', file], { cwd: folder })
  })
  for (const cli of started) {
    expect(await cli.ended()).toBe(2)
    expect(cli.errors).toMatch(/config-\d\.yaml:\d+:\d+ site\.url: must be https/)
  }
  rmSync(folder, { recursive: true })
})
