import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { isCommon } from '../../src/password/common.ts'
import { normalizePassword } from '../../src/password/passwords.ts'
import { checkPassword } from '../../src/password/policy.ts'

const rules = loadConfig({}, { env: {} }).password
const argon = { ...rules, hash: 'argon2id' } as const
const context = { email: 'wonderland@site.example', siteName: 'Riverside' }
const reason = (password: string, over = rules) =>
  checkPassword(password, over, context)?.reason ?? null

describe('length', () => {
  it('is counted in characters as people count them', () => {
    expect(reason(`${'x'.repeat(13)}ab`)).toBeNull()
    expect(reason(`${'x'.repeat(13)}a`)).toBe('password-too-short')
    expect(reason('🦊'.repeat(15), argon)).toBeNull()
    expect(reason('🦊'.repeat(14), argon)).toBe('password-too-short')
  })

  it('is at most what the site says', () => {
    expect(reason('x'.repeat(128), argon)).toBeNull()
    expect(reason('x'.repeat(129), argon)).toBe('password-too-long')
    expect(checkPassword('x'.repeat(129), argon, context)?.values).toEqual({ max: 128 })
  })

  it('is at most 72 bytes for bcrypt, which would ignore the rest', () => {
    expect(reason('x'.repeat(72))).toBeNull()
    expect(reason('x'.repeat(73))).toBe('password-too-many-bytes')
    expect(reason('é'.repeat(37))).toBe('password-too-many-bytes')
    expect(reason('é'.repeat(37), argon)).toBeNull()
  })
})

it.each([
  'correct horse battery',
  'all lower case words here',
  'пароль из нескольких слов',
  '   blanks are letters too  ',
])('needs no kind of character: %s', (password) => {
  expect(reason(normalizePassword(password))).toBeNull()
})

it('asks for the kinds of characters that a site is obliged to ask for', () => {
  const strict = { ...rules, composition: ['lower', 'upper', 'digit', 'special'] } as const
  const kinds = (password: string) => checkPassword(password, strict, context)?.reason ?? null
  expect(kinds('lower UPPER 123 !')).toBeNull()
  expect(kinds('Ärger mit 1 Umlaut!')).toBeNull()
  for (const password of [
    'lower upper 123 !',
    'LOWER UPPER 123 !',
    'lower UPPER abc !',
    'lower UPPER 1234',
  ]) {
    expect(kinds(password)).toBe('password-composition')
  }
})

it.each([
  ['', 'password-missing'],
  ['abc\0defghijklmnopq', 'password-characters'],
  ['abcdefghijklmno\n', 'password-characters'],
  ['abcdefghijklmno\ud800', 'password-characters'],
  ['my wonderland@site.example pass', 'password-contains-email'],
  ['WonderlandWonderland', 'password-contains-email'],
  ['wonderland-2026', 'password-contains-email'],
  ['i like river side books', 'password-contains-site'],
])('refuses %j', (password, expected) => {
  expect(reason(password)).toBe(expected)
})

it('lets a name stand in a sentence', () => {
  expect(reason('white rabbits live in wonderland')).toBeNull()
})

it('is the same password however its accents are typed', () => {
  expect(normalizePassword('cafe\u0301')).toBe('caf\u00e9')
  expect(normalizePassword(' A  b ')).toBe(' A  b ')
})

describe('a common password', () => {
  it.each([
    'passwordpassword',
    'PasswordPassword',
    'dragondragondragon',
    'aaaaaaaaaaaaaaa',
    'abababababababa',
    'abcdefghijklmnop',
    'ponmlkjihgfedcba',
    '123456789012345',
    '1qaz2wsx3edc4rfv',
  ])('is %s', async (password) => {
    expect(await isCommon(password)).toBe(true)
  })

  it.each(['correct horse battery', 'abcdefghijklmnoq', 'a brand new passphrase'])(
    'is not %s',
    async (password) => {
      expect(await isCommon(password)).toBe(false)
    },
  )
})
