import * as crypto from 'node:crypto'
import { compareSync } from 'bcryptjs'
import { afterEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { WorkerPasswords } from '../../src/password/hash.ts'

const rules = loadConfig({ password: { cost: 4 } }, { env: {} }).password
const context = { email: 'alice@site.example', siteName: 'Riverside' }
let passwords = new WorkerPasswords(rules)

function use(over: Partial<typeof rules>): WorkerPasswords {
  passwords = new WorkerPasswords({ ...rules, ...over })
  return passwords
}

afterEach(() => passwords.close())

it('writes bcrypt hashes of the configured cost', async () => {
  const hash = await use({ cost: 7 }).hash('correct horse battery')
  expect(hash).toMatch(/^\$2b\$07\$.{53}$/)
  expect(compareSync('correct horse battery', hash)).toBe(true)
  expect(compareSync('correct horse batterz', hash)).toBe(false)
})

it('writes argon2id as a PHC string that others can verify', async () => {
  const hash = await use({ hash: 'argon2id' }).hash('correct horse battery')
  const [, salt = '', tag = ''] =
    /^\$argon2id\$v=19\$m=19456,t=2,p=1\$([^$]+)\$([^$]+)$/.exec(hash) ?? []
  const again = crypto.argon2Sync('argon2id', {
    message: 'correct horse battery',
    nonce: Buffer.from(salt, 'base64'),
    memory: 19_456,
    passes: 2,
    parallelism: 1,
    tagLength: 32,
  })
  expect(again.equals(Buffer.from(tag, 'base64'))).toBe(true)
})

it('writes scrypt as a PHC string that others can verify', async () => {
  const hash = await use({ hash: 'scrypt' }).hash('correct horse battery')
  const [, salt = '', tag = ''] = /^\$scrypt\$ln=17,r=8,p=1\$([^$]+)\$([^$]+)$/.exec(hash) ?? []
  const options = { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 }
  const again = crypto.scryptSync('correct horse battery', Buffer.from(salt, 'base64'), 32, options)
  expect(again.equals(Buffer.from(tag, 'base64'))).toBe(true)
})

describe('checking', () => {
  it('refuses what is common, where the site wants that', async () => {
    expect(await use({}).check('passwordpassword', context)).toEqual({ reason: 'password-common' })
    expect(
      await use({ blockCommon: false, strength: 0 }).check('passwordpassword', context),
    ).toBeNull()
    expect(await use({}).check('a brand new passphrase', context)).toBeNull()
  })

  it('does not wait behind hashes that take long', async () => {
    use({ cost: 11 })
    const hashes = Array.from({ length: 8 }, () => passwords.hash('correct horse battery'))
    const done = await Promise.race([
      Promise.all(hashes).then(() => 'hashes'),
      passwords.check('passwordpassword', context).then(() => 'check'),
    ])
    expect(done).toBe('check')
    await Promise.all(hashes)
  })
})

it('keeps the event loop free while it hashes', async () => {
  use({ cost: 12 })
  let beats = 0
  const heart = setInterval(() => {
    beats += 1
  }, 10)
  await Promise.all(Array.from({ length: 4 }, () => passwords.hash('correct horse battery')))
  clearInterval(heart)
  // Half a second and more: on the event loop there would be a beat or two in between.
  expect(beats).toBeGreaterThan(20)
})

it('turns away what would wait too long', async () => {
  use({ cost: 5 })
  const results = await Promise.allSettled(
    Array.from({ length: 80 }, () => passwords.hash('correct horse battery')),
  )
  const refused = results.filter((result) => result.status === 'rejected')
  expect(refused.length).toBeGreaterThan(0)
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 'ERR_FORGOT_BUSY' })
  expect(results.length - refused.length).toBeGreaterThanOrEqual(64)
})

it('answers what is waiting when it is closed', async () => {
  use({ cost: 13 })
  const waiting = Promise.allSettled([1, 2, 3, 4].map(() => passwords.hash('x')))
  await passwords.close()
  const results = await waiting
  expect(results.every((result) => result.status === 'rejected')).toBe(true)
})

describe('strength', () => {
  const context = { email: 'wonderland@site.example', siteName: 'Riverside' }
  const reason = async (password: string, over: Partial<typeof rules> = {}) =>
    (await use(over).check(password, context))?.reason ?? null

  it.each([
    ['qwertyuiopasdfgh', 'password-common'],
    ['19901990199019901990', 'password-common'],
    ['lanterns along the quay', null],
    ['ひとつふたつみっつよっついつつむっつ', null],
  ])('of %s: %s', async (password, expected) => {
    expect(await reason(password)).toBe(expected)
  })

  it('is not looked at where the site does not want it', async () => {
    const over = { strength: 0, blockCommon: false }
    expect(await reason('19901990199019901990', over)).toBeNull()
  })
})

it('refuses a breached password, after everything that can be told without asking', async () => {
  await passwords.close()
  const asked: string[] = []
  const breaches = {
    isListed: async (password: string) => {
      asked.push(password)
      return password.startsWith('breached')
    },
  }
  passwords = new WorkerPasswords(rules, { breaches })
  const context = { email: 'a@site.example', siteName: 'Riverside' }
  expect((await passwords.check('short', context))?.reason).toBe('password-too-short')
  expect(await passwords.check('breached lanterns along the quay', context)).toEqual({
    reason: 'password-breached',
  })
  expect(await passwords.check('lanterns along the quay', context)).toBeNull()
  expect(asked).toHaveLength(2)
})
