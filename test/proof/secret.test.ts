import { describe, expect, it } from 'vitest'
import { accountMark, isUnchanged } from '../../src/proof/account.ts'
import { linkHash, linkToken, newLinkHash } from '../../src/proof/link.ts'
import { newReference, showReference } from '../../src/proof/reference.ts'
import { readRevokeToken, revokeToken } from '../../src/proof/revoke.ts'
import { digest, equal, KeyRing, randomId, rowId } from '../../src/proof/secret.ts'

const older = 'a'.repeat(64)
const newer = 'b'.repeat(64)

describe('a key ring', () => {
  it('makes another value for each purpose, secret and text', () => {
    const values = [
      new KeyRing([older]).mac('link', 'x'),
      new KeyRing([newer]).mac('link', 'x'),
      new KeyRing([older]).mac('form', 'x'),
      new KeyRing([older]).mac('link', 'y'),
    ]
    expect(new Set(values).size).toBe(4)
  })

  it('verifies with every secret and signs with the first', () => {
    const ring = new KeyRing([newer, older])
    expect(ring.verifies('form', 'x', new KeyRing([older]).mac('form', 'x'))).toBe(true)
    expect(ring.mac('form', 'x')).toBe(new KeyRing([newer]).mac('form', 'x'))
    expect(new KeyRing([newer]).verifies('form', 'x', new KeyRing([older]).mac('form', 'x'))).toBe(
      false,
    )
  })

  it('opens what any of its secrets sealed, for that purpose alone', () => {
    const sealed = new KeyRing([older]).seal('flow', 'text ✓')
    expect(new KeyRing([newer, older]).open('flow', sealed)).toBe('text ✓')
    expect(new KeyRing([older]).open('recipient', sealed)).toBeNull()
    expect(new KeyRing([newer]).open('flow', sealed)).toBeNull()
  })

  it('seals the same text differently each time', () => {
    const ring = new KeyRing([older])
    expect(ring.seal('flow', 'x')).not.toBe(ring.seal('flow', 'x'))
    expect(ring.open('flow', ring.seal('flow', ''))).toBe('')
  })

  it.each(['', 'x', '!!', 'A'.repeat(40)])('opens nothing of %j', (sealed) => {
    expect(new KeyRing([older]).open('flow', sealed)).toBeNull()
  })

  it('notices each changed byte', () => {
    const ring = new KeyRing([older])
    const bytes = Buffer.from(ring.seal('flow', 'x'), 'base64url')
    for (const index of bytes.keys()) {
      const changed = Buffer.from(bytes)
      changed[index] = (changed[index] ?? 0) ^ 1
      expect(ring.open('flow', changed.toString('base64url'))).toBeNull()
    }
  })
})

describe('a link', () => {
  it('has a token of 256 bits that its row’s hash alone does not give away', () => {
    const id = randomId()
    const hash = newLinkHash(new KeyRing([older]), id)
    const token = linkToken(new KeyRing([older]), id, hash) ?? ''
    expect(Buffer.from(token, 'base64url')).toHaveLength(32)
    expect(linkHash(token)).toBe(hash)
    expect(hash).not.toContain(token)
  })

  it('keeps its token when a newer secret is put in front, and loses it with its secret', () => {
    const id = randomId()
    const hash = newLinkHash(new KeyRing([older]), id)
    expect(linkToken(new KeyRing([newer, older]), id, hash)).toBe(
      linkToken(new KeyRing([older]), id, hash),
    )
    expect(linkToken(new KeyRing([newer]), id, hash)).toBeNull()
  })

  it.each([
    '',
    'a'.repeat(42),
    'a'.repeat(44),
    `${'a'.repeat(42)}=`,
    `${'a'.repeat(42)} `,
    `${'a'.repeat(42)}\n`,
  ])('is not looked up for %j', (token) => {
    expect(linkHash(token)).toBeNull()
  })
})

describe('the mark of an account', () => {
  const user = { id: '7', email: 'alice@site.example', name: null, locale: null, version: 'v1' }

  it.each([
    ['id', '8'],
    ['email', 'mallory@site.example'],
    ['version', 'v2'],
  ])('is another once its %s is', (field, value) => {
    const mark = accountMark(new KeyRing([older]), user)
    const ring = new KeyRing([newer, older])
    expect(isUnchanged(ring, { ...user, name: 'Alice', locale: 'fr' }, mark)).toBe(true)
    expect(isUnchanged(ring, { ...user, [field]: value }, mark)).toBe(false)
  })
})

describe('what says “this wasn’t me”', () => {
  it('names the row that it was made for, and is read in one spelling', () => {
    const id = rowId(1_800_000_000_000)
    const token = revokeToken(new KeyRing([older]), id)
    const ring = new KeyRing([newer, older])
    expect(readRevokeToken(ring, token)).toBe(id)
    expect(readRevokeToken(new KeyRing([newer]), token)).toBeNull()
    const [, mac = ''] = token.split('.')
    const others = [`x${token}`, ` ${token}`, `${token}x`, `${token}\n`, `${rowId(0)}.${mac}`, mac]
    expect(others.filter((other) => readRevokeToken(ring, other) !== null)).toEqual([])
  })
})

describe('a reference number', () => {
  it('begins with a letter and has eight characters that cannot be mistaken for others', () => {
    for (let index = 0; index < 1000; index += 1) {
      expect(newReference()).toMatch(
        /^[ABCDEFGHJKMNPQRSTVWXYZ][23456789ABCDEFGHJKMNPQRSTVWXYZ]{7}$/,
      )
    }
  })

  it('is shown in two halves', () => {
    expect(showReference('K7Q4MZ8P')).toBe('K7Q4-MZ8P')
  })
})

it('compares texts of any length', () => {
  expect(equal('a', 'a')).toBe(true)
  expect(equal('a', 'b')).toBe(false)
  expect(equal('a', 'aa')).toBe(false)
})

it('makes ids that do not repeat', () => {
  expect(new Set(Array.from({ length: 1000 }, randomId)).size).toBe(1000)
  expect(digest('x')).toHaveLength(43)
})
