import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { examineDns } from '../../src/doctor/dns.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { NameServer } from '../support/dns.ts'

const folder = mkdtempSync(join(tmpdir(), 'forgot-dns-'))
const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const published = createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64')
let server: NameServer

beforeAll(async () => {
  server = await NameServer.start()
  writeFileSync(join(folder, 'dkim.pem'), key.export({ type: 'pkcs8', format: 'pem' }))
})
afterAll(() => {
  server.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  for (const name of Object.keys(server.zone)) delete server.zone[name]
  Object.assign(server.zone, {
    'library.org': { txt: ['other', 'v=spf1 include:mail.example -all'], mx: 'mx.library.org' },
    'bounces.library.org': { txt: ['v=spf1 include:mail.example -all'] },
    'one._domainkey.library.org': { txt: [`v=DKIM1; k=rsa; p=${published}`] },
    '_dmarc.library.org': { txt: ['v=DMARC1; p=none'] },
  })
})

async function examine(smtp: ConfigInput['smtp'] = {}, url = 'https://www.library.org') {
  const config = loadConfig(
    {
      site: { url },
      recovery: { methods: ['link', 'code'] },
      smtp: {
        host: 'mail.example',
        from: { email: 'desk@library.org' },
        returnPath: 'bounces@bounces.library.org',
        dkim: { selector: 'one', key: join(folder, 'dkim.pem') },
        ...smtp,
      },
    },
    { env: {}, hasUsers: true },
  )
  const names = new Resolver({ timeout: 300, tries: 1 })
  names.setServers([server.address])
  return examineDns(config, names)
}

const wrong = (found: readonly Finding[]) => found.filter(({ level }) => level !== 'good')

it('a sender whose mails can be told from forged ones is found so', async () => {
  const found = await examine()
  expect(found.map(({ text }) => text)).toEqual([
    'bounces.library.org has an SPF record',
    'one._domainkey.library.org has the DKIM record of smtp.dkim.key',
    'library.org has a DMARC record',
    'library.org takes answers',
  ])
  expect(wrong(found)).toEqual([])
})

it('each record that is missing is named with what to add', async () => {
  for (const name of Object.keys(server.zone)) delete server.zone[name]
  const found = await examine()
  expect(wrong(found)).toHaveLength(4)
  expect(found.map(({ level }) => level)).toEqual(['warning', 'fault', 'warning', 'warning'])
  const remedies = found.map(({ remedy }) => remedy)
  expect(remedies[0]).toContain('add a TXT record to bounces.library.org, such as "v=spf1')
  expect(remedies[1]).toContain(`p=${published}`)
  expect(remedies[2]).toContain('add the TXT record "v=DMARC1; p=none" to _dmarc.library.org')
})

it.each([
  [
    'two SPF records',
    'bounces.library.org',
    ['v=spf1 -all', 'v=spf1 ~all'],
    'has 2 SPF records: receivers take none of them',
  ],
  ['an SPF record for everybody', 'bounces.library.org', ['v=spf1 +all'], 'lets anybody send'],
  [
    'another key',
    'one._domainkey.library.org',
    ['v=DKIM1; p=MIIB'],
    'has the DKIM record of another key',
  ],
])('%s: a fault', async (_, name, txt, text) => {
  server.zone[name] = { txt }
  const [finding] = wrong(await examine())
  expect(finding).toMatchObject({ check: 'dns', level: 'fault' })
  expect(finding?.text).toContain(text)
})

it('the DMARC record of a domain above counts', async () => {
  server.zone['a.mail.library.org'] = { mx: 'mx.library.org' }
  const found = await examine({ from: { email: 'desk@a.mail.library.org' } })
  expect(found.map(({ text }) => text)).toContain('library.org has a DMARC record')
})

it('codes from another domain than the site are a warning', async () => {
  const [finding] = wrong(await examine({}, 'https://books.org'))
  expect(finding?.text).toContain('smtp.from.email is of library.org and not of books.org')
})

it('a name server that does not answer is one warning, and private names are not asked for', async () => {
  const config = loadConfig(
    {
      site: { url: 'https://library.org' },
      smtp: { host: 'mail.example', from: { email: 'desk@library.org' } },
    },
    { env: {}, hasUsers: true },
  )
  const nobody = new Resolver({ timeout: 100, tries: 1 })
  nobody.setServers(['127.0.0.1:1'])
  expect(await examineDns(config, nobody)).toMatchObject([
    { level: 'warning', text: expect.stringContaining('cannot be looked up here (ECONNREFUSED)') },
  ])
  const from = { name: 'Desk', email: 'desk@library.example' }
  const smtp = { ...config.smtp, from, returnPath: from.email }
  expect(await examineDns({ ...config, smtp }, nobody)).toEqual([])
})
