import { describe, expect, it } from 'vitest'
import { codeOf, isCodeOf, readCode } from '../../src/proof/code.ts'
import { newLinkHash } from '../../src/proof/link.ts'
import { readReference } from '../../src/proof/reference.ts'
import { KeyRing, randomId } from '../../src/proof/secret.ts'

const secret = 'a secret of thirty-two characters'
const newSecret = 'another secret of thirty-two chars'
const ring = new KeyRing([secret])

const row = (id: string, generation = 1, by = ring) => ({
  id,
  tokenHash: newLinkHash(by, id),
  generation,
})

describe('a code', () => {
  it('is any six digits as likely as any other, leading zeros included', () => {
    const count = 20_000
    const codes = Array.from({ length: count }, () => codeOf(ring, row(randomId()), 6) ?? '')
    expect(codes.filter((code) => !/^\d{6}$/.test(code))).toEqual([])
    const zeros = codes.filter((code) => code.startsWith('0')).length / count
    expect(Math.abs(zeros - 0.1)).toBeLessThan(0.01)
    for (let place = 0; place < 6; place += 1) {
      const seen = Array.from(
        { length: 10 },
        (_, digit) => codes.filter((code) => code[place] === String(digit)).length,
      )
      const chiSquare = seen.reduce((sum, each) => sum + (each - count / 10) ** 2 / (count / 10), 0)
      // 9 degrees of freedom: one run in ten million goes beyond this.
      expect(chiSquare).toBeLessThan(50)
    }
  })

  it('is its row’s and its generation’s alone', () => {
    const code = codeOf(ring, row('row'), 6) ?? ''
    expect(isCodeOf(ring, row('row'), code)).toBe(true)
    expect(isCodeOf(ring, row('row', 2), code)).toBe(false)
    expect(isCodeOf(ring, row('other'), code)).toBe(false)
    expect(isCodeOf(ring, row('row'), '')).toBe(false)
  })

  it('is the one of the secret that its row was made with, and no other', () => {
    const source = row('row')
    const code = codeOf(ring, source, 8)
    const rotated = new KeyRing([newSecret, secret])
    expect(codeOf(rotated, source, 8)).toBe(code)
    const underNew = codeOf(rotated, row('row', 1, rotated), 8) ?? ''
    expect(underNew).not.toBe(code)
    expect(isCodeOf(rotated, source, underNew)).toBe(false)
    expect(codeOf(new KeyRing([newSecret]), source, 8)).toBeNull()
    expect(isCodeOf(new KeyRing([newSecret]), source, code ?? '')).toBe(false)
  })

  it('and a reference that are too long to have been typed are not looked at', () => {
    const marks = `a${'\u0315'.repeat(200_000)}${'\u0300'.repeat(200_000)}`
    expect(readCode(marks)).toBeNull()
    expect(readReference(marks)).toBeNull()
  })

  it.each([
    [' 123 456 ', '123456'],
    ['123-456', '123456'],
    ['123–456\u200b', '123456'],
    ['１２３４５６', '123456'],
    ['١٢٣٤٥٦', '123456'],
    ['۰۱۲۳۴۵', '012345'],
    ['๐๑๒๓๔๕', '012345'],
    ['०१२३४५', '012345'],
    ['𝟗𝟖𝟕𝟔𝟓𝟒', '987654'],
    ['12a', '12a'],
    ['-12345', '12345'],
    ['1.5', '1.5'],
    ['', ''],
  ])('typed as %j is read as %j', (typed, code) => {
    expect(readCode(typed)).toBe(code)
  })
})

it.each([
  ['K7Q4-MZ8P', 'K7Q4MZ8P'],
  ['k7q4mz8p', 'K7Q4MZ8P'],
  [' k7q4 – mz8p ', 'K7Q4MZ8P'],
  ['\u2068K7Q4-MZ8P\u2069', 'K7Q4MZ8P'],
  ['Ｋ７Ｑ４ＭＺ８Ｐ', 'K7Q4MZ8P'],
  ['K7Q4MZ8', null],
  ['K7Q4MZ8P9', null],
  ['O7Q4MZ8P', null],
  ['', null],
])('a reference typed as %j is read as %j', (typed, reference) => {
  expect(readReference(typed)).toBe(reference)
})
