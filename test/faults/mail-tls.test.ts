import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsOptions } from 'node:tls'
import { afterAll, describe, expect, it } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import type { Fault, Relay } from '../support/relay.ts'
import { accounts } from '../support/site.ts'
import { linkIn } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'
import { ask, failuresOf, jobsOf, letTimePass, loggedBy, Relayed } from './relayed.ts'

const { alice, bob } = accounts

/** One value of ASN.1 (X.690 §8), of less than 64 KiB. */
function der(tag: number, ...contents: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(
    contents.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)),
  )
  const { length } = content
  const head = length < 0x80 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from(head), content])
}

/** A certificate (RFC 5280 §4.1) that vouches for itself: for an IPv4 address, and until a time. */
function certify(address: string, until: Date): { readonly key: string; readonly cert: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = publicKey.export({ type: 'spki', format: 'der' })
  const ecdsaWithSha256 = der(0x30, '06082a8648ce3d040302')
  const time = (date: Date) =>
    der(0x17, Buffer.from(`${date.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`))
  // Two of the same name would be taken for one another.
  const name = Buffer.from(createHash('sha1').update(key).digest('hex'))
  const subject = der(0x30, der(0x31, der(0x30, '0603550403', der(0x0c, name))))
  const addresses = der(0x30, der(0x87, Buffer.from(address.split('.').map(Number))))
  const extensions = der(0xa3, der(0x30, der(0x30, '0603551d11', der(0x04, addresses))))
  const body = der(
    0x30,
    ...[der(0xa0, '020102'), der(0x02, '01'), ecdsaWithSha256, subject],
    ...[der(0x30, time(new Date(Date.UTC(2020, 0))), time(until)), subject, key, extensions],
  )
  const signature = der(0x03, '00', sign('sha256', body, privateKey))
  const base64 = der(0x30, body, ecdsaWithSha256, signature).toString('base64')
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  }
}

const later = new Date(Date.UTC(2049, 0))
const good = certify('127.0.0.1', later)
const expired = certify('127.0.0.1', new Date(Date.UTC(2021, 0)))
const ofAnother = certify('127.0.0.2', later)
const ofNobody = certify('127.0.0.1', later)
const old: TlsOptions = {
  ...good,
  minVersion: 'TLSv1',
  maxVersion: 'TLSv1.1',
  ciphers: 'DEFAULT:@SECLEVEL=0',
}

const folder = mkdtempSync(join(tmpdir(), 'forgot-tls-'))
const ca = join(folder, 'ca.pem')
// Each is vouched for but one, so that nothing else can be wrong with them.
writeFileSync(ca, good.cert + expired.cert + ofAnother.cert)
afterAll(() => rmSync(folder, { recursive: true }))

/** A site that keeps to what its owner says of TLS: this machine is not taken for what it is. */
function strict(smtp: NonNullable<ConfigInput['smtp']>, prepare: (relay: Relay) => void): Relayed {
  const tls = { ca, rejectUnauthorized: true }
  return new Relayed({ smtp: { timeout: '300ms', tls, ...smtp } }, prepare)
}

const mailing = ['AUTH', 'MAIL', 'RCPT', 'DATA']
/** What clients have said, with TLS or without. */
const verbs = ({ relay }: Relayed, isEncrypted: boolean) => [
  ...new Set(
    relay.heard
      .filter((line) => line.isEncrypted === isEncrypted)
      .map(({ text }) => text.replace(/[ :].*/, '')),
  ),
]

/** Asks for a mail that must not be sent; then the relay is put right, and it is. */
async function expectNothingInClear(
  relayed: Relayed,
  why: RegExp,
  putRight: () => unknown,
): Promise<void> {
  const { relay, site } = relayed
  await ask(site, alice.email)
  await eventually(async () => (await jobsOf(site))[0]?.last_error)
  expect(await jobsOf(site)).toMatchObject([
    { attempts: 1, last_error: expect.stringMatching(why) },
  ])
  expect(loggedBy(site, 'error')).toContain('the mail server cannot be used')
  expect([relay.given, verbs(relayed, true)]).toEqual([[], []])
  await putRight()
  await letTimePass(site, () => relay.taken.length > 0)
  expect(verbs(relayed, false).filter((verb) => !['EHLO', 'STARTTLS'].includes(verb))).toEqual([])
  expect(verbs(relayed, true)).toEqual(expect.arrayContaining(['EHLO', ...mailing]))
  expect(await failuresOf(site)).toEqual([])
  expect((await site.reset(linkIn(relay.taken[0]))).status).toBe(303)
}

describe('where TLS is required, a relay', () => {
  const relayed = strict({ starttls: 'required' }, (relay) => {
    relay.tls = good
  })

  it.each<[string, TlsOptions | null, RegExp]>([
    ['whose certificate has expired', expired, /has expired/],
    ['whose certificate is for another', ofAnother, /127\.0\.0\.1 is not in/],
    ['whose certificate nobody vouches for', ofNobody, /self-signed/],
    ['whose TLS is of 2006', old, /protocol version/],
    ['that offers no STARTTLS', null, /502/],
  ])('Z7 %s is told nothing and given nothing', async (_, tls, why) => {
    relayed.relay.tls = tls
    await expectNothingInClear(relayed, why, () => {
      relayed.relay.tls = good
    })
  })

  it.each<[Fault, RegExp]>([
    ['garbage', /wrong version number/],
    ['454 4.7.0 no TLS now', /ETLS 454/],
    ['502 5.5.1 no TLS', /ETLS 502/],
    ['close', /ECONNECTION/],
    ['silence', /ETIMEDOUT/],
  ])(
    'Z7 that offers STARTTLS, and then comes %s, is told nothing and given nothing',
    async (fault, why) => {
      relayed.relay.fail('STARTTLS', fault)
      await expectNothingInClear(relayed, why, () => relayed.relay.heal())
    },
  )
})

describe('where TLS comes first, a relay', () => {
  const relayed = strict({ secure: true }, (relay) => {
    relay.tls = good
    relay.isTlsFirst = true
  })

  it.each<[string, TlsOptions, RegExp]>([
    ['has expired', expired, /has expired/],
    ['is for another', ofAnother, /127\.0\.0\.1 is not in/],
  ])('Z7 whose certificate %s is told nothing and given nothing', async (_, tls, why) => {
    relayed.relay.tls = tls
    await expectNothingInClear(relayed, why, () => {
      relayed.relay.tls = good
    })
  })
})

describe.each([
  ['offered', 'has it', good, [mailing, []]],
  ['offered', 'has none', null, [[], mailing]],
  ['never', 'has it', good, [[], mailing]],
] as const)('where TLS is “%s”, a relay that %s', (starttls, _, tls, said) => {
  const relayed = strict({ starttls }, (relay) => {
    relay.tls = tls
  })

  it('Z7 is spoken to as the owner says', async () => {
    await ask(relayed.site, bob.email)
    await relayed.site.smtp.to(bob.email)
    const spoken = [true, false].map((isEncrypted) =>
      verbs(relayed, isEncrypted).filter((verb) => mailing.includes(verb)),
    )
    expect(spoken).toEqual(said)
  })
})
