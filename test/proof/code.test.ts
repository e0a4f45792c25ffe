import { describe, expect, it } from 'vitest'
import { codeOf, isCodeOf, readCode } from '../../src/proof/code.ts'
import { readReference } from '../../src/proof/reference.ts'
import { KeyRing, randomId } from '../../src/proof/secret.ts'

const ring = new KeyRing(['a secret of thirty-two characters'])

describe('a code', () => {
  it('is any six digits as likely as any other, leading zeros included', () => {
    const count = 20_000
    const codes = Array.from({ length: count }, () =>
      codeOf(ring, { id: randomId(), generation: 1 }, 6),
    )
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
    const source = { id: 'row', generation: 1 }
    const code = codeOf(ring, source, 6)
    expect(isCodeOf(ring, source, code)).toBe(true)
    expect(isCodeOf(ring, { ...source, generation: 2 }, code)).toBe(false)
    expect(isCodeOf(ring, { ...source, id: 'other' }, code)).toBe(false)
    expect(isCodeOf(ring, source, '')).toBe(false)
  })

  it('is recognized under a secret that was replaced', () => {
    const source = { id: 'row', generation: 3 }
    const old = codeOf(ring, source, 8)
    const rotated = new KeyRing([
      'another secret of thirty-two chars',
      'a secret of thirty-two characters',
    ])
    expect(isCodeOf(rotated, source, old)).toBe(true)
    expect(codeOf(rotated, source, 8)).not.toBe(old)
    expect(isCodeOf(new KeyRing(['another secret of thirty-two chars']), source, old)).toBe(false)
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
  ['K7Q4MZ8', null],
  ['K7Q4MZ8P9', null],
  ['O7Q4MZ8P', null],
  ['', null],
])('a reference typed as %j is read as %j', (typed, reference) => {
  expect(readReference(typed)).toBe(reference)
})
