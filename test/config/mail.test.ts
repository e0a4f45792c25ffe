import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConfigInput, Smtp } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { ForgotError } from '../../src/errors.ts'

let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-mail-config-'))
  writeFileSync(keyFile('rsa'), pem('rsa', { modulusLength: 2048 }))
  writeFileSync(keyFile('short'), pem('rsa', { modulusLength: 768 }))
  writeFileSync(keyFile('other'), pem('ed25519'))
  writeFileSync(keyFile('broken'), 'not a key, but secret')
})
afterAll(() => rmSync(folder, { recursive: true }))

const keyFile = (name: string) => join(folder, `${name}.pem`)

function pem(type: string, options: object = {}): string {
  const { privateKey } = generateKeyPairSync(type as 'rsa', options as { modulusLength: number })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function load(smtp: ConfigInput['smtp']): Smtp {
  return loadConfig({ smtp: { ...smtp } }, { env: {} }).smtp
}

/** What is wrong with it, a line each. */
function problems(smtp: unknown): readonly string[] {
  try {
    load(smtp as ConfigInput['smtp'])
    return []
  } catch (error) {
    return (error as ForgotError).problems
  }
}

describe('smtp.url', () => {
  it.each([
    [
      'smtp://mail.example',
      { host: 'mail.example', port: 587, secure: false, user: null, pass: null },
    ],
    ['smtps://mail.example/', { host: 'mail.example', port: 465, secure: true }],
    [
      'smtp://me%40site:p%25s%3A@[::1]:2525',
      { host: '::1', port: 2525, user: 'me@site', pass: 'p%s:' },
    ],
  ])('%s names a server', (url, relay) => {
    expect(load({ url }).relays).toMatchObject([relay])
  })

  it.each([
    'http://mail.example',
    'mail.example:25',
    'smtp://mail.example/x',
    'smtp://a:%zz@mail.example',
    'smtp://',
  ])('%s is refused, without a word of what it holds', (url) => {
    expect(problems({ url })).toEqual([
      expect.stringMatching(/smtp\.url: must be smtp:\/\/user:password@host:port/),
    ])
    expect(problems({ url }).join()).not.toContain('%zz')
  })

  it('stands alone', () => {
    expect(problems({ url: 'smtp://mail.example', host: 'other.example', user: 'me' })).toEqual([
      'configuration smtp.host: cannot be set beside smtp.url',
      'configuration smtp.user: cannot be set beside smtp.url',
    ])
  })
})

describe('smtp.fallback', () => {
  it('comes second, with keys of its own', () => {
    const fallback = { host: 'second.example', port: 2525, starttls: 'never' } as const
    expect(load({ host: 'first.example', user: 'me', pass: 'x', fallback }).relays).toMatchObject([
      { host: 'first.example', user: 'me', port: 587, starttls: null },
      { host: 'second.example', user: null, port: 2525, starttls: 'never' },
    ])
  })

  it('needs a host, and something to stand in for', () => {
    expect(problems({ host: 'first.example', fallback: { user: 'me', pass: 'x' } })).toEqual([
      'configuration smtp.fallback.host: is required',
    ])
    expect(problems({ fallback: { host: 'second.example' } })).toEqual([
      'configuration smtp.host: is required with smtp.fallback',
    ])
  })
})

describe('smtp.dkim', () => {
  it('is one key or several, of the sender’s domain unless they say another', () => {
    const from = { email: 'library@site.example' }
    const one = { selector: 'one', key: keyFile('rsa') }
    expect(load({ from, dkim: one }).dkim).toEqual([{ ...one, domain: 'site.example' }])
    const two = { selector: 'two', key: keyFile('rsa'), domain: 'other.example' }
    expect(load({ from, dkim: [one, two] }).dkim).toHaveLength(2)
    expect(load({ from, dkim: [one, two] }).dkim[1]).toEqual(two)
  })

  it.each(['short', 'other', 'broken'])(
    'refuses a key that is %s, without a word of it',
    (name) => {
      const found = problems({ dkim: [{ selector: 'one', key: keyFile(name) }] })
      expect(found).toEqual([
        expect.stringContaining('smtp.dkim[0].key: must be an RSA private key'),
      ])
      expect(found.join()).not.toContain('secret')
    },
  )

  it('says which file is missing', () => {
    expect(problems({ dkim: { selector: 'one', key: keyFile('none') } })).toEqual([
      `configuration smtp.dkim.key: there is no file ${keyFile('none')}`,
    ])
  })
})

describe('smtp.headers', () => {
  it('takes more headers', () => {
    expect(load({ headers: { 'X-Site': 'library', 'Feedback-ID': 'a:b' } }).headers).toEqual({
      'X-Site': 'library',
      'Feedback-ID': 'a:b',
    })
  })

  it.each([
    [{ Bcc: 'all@site.example' }, 'is set by this module'],
    [{ 'content-type': 'text/plain' }, 'is set by this module'],
    [{ 'X Site': 'a' }, 'must be the name of a header'],
    [{ 'X-Site': 'a\r\nBcc: b@site.example' }, 'must be up to 900 printable ASCII characters'],
  ])('refuses %j', (headers, rule) => {
    expect(problems({ headers }).join()).toContain(rule)
  })
})

describe('the rest of smtp', () => {
  it('reports to the sender unless there is a returnPath', () => {
    const from = { email: 'library@site.example' }
    expect(load({ from }).returnPath).toBe('library@site.example')
    expect(load({ from, returnPath: 'bounces@site.example' }).returnPath).toBe(
      'bounces@site.example',
    )
  })

  it('limits all mails, and those to a domain', () => {
    expect(
      load({ limit: '30/1m', domainLimits: { 'outlook.com': '5/1m', '*': 'off' } }),
    ).toMatchObject({
      limit: [{ count: 30, windowMs: 60_000 }],
      domainLimits: { 'outlook.com': [{ count: 5, windowMs: 60_000 }], '*': [] },
    })
    expect(problems({ domainLimits: { Outlook: '5/1m' } }).join()).toContain('must be a domain')
  })

  it('takes a program instead of a server, and not beside one', () => {
    expect(load({ sendmail: '/bin/true' })).toMatchObject({ sendmail: '/bin/true', relays: [] })
    expect(problems({ sendmail: '/bin/true', host: 'mail.example' })).toEqual([
      'configuration smtp.sendmail: cannot be set beside a mail server: set one of them',
    ])
  })

  it('keeps mails in the mailbox only where nothing could send them', () => {
    const hasMailbox = (smtp: ConfigInput['smtp']) =>
      loadConfig({ smtp: { ...smtp } }, { env: {} }).hasMailbox
    expect(
      [{}, { host: 'a' }, { url: 'smtp://a' }, { sendmail: '/bin/true' }].map(hasMailbox),
    ).toEqual([...[true, false, false, false]])
  })
})
