import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keptSecret } from '../../src/proof/kept-secret.ts'

let folder = ''
const data = () => join(folder, 'site', 'data')
const file = () => join(data(), 'secret.key')
const modeOf = (path: string) => statSync(path).mode & 0o777

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-secret-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What is thrown with this in the file. */
function refusal(text: string): unknown {
  mkdirSync(data(), { recursive: true })
  writeFileSync(file(), text)
  try {
    return keptSecret(data())
  } catch (error) {
    return error
  }
}

describe('a secret that nobody has set', () => {
  it('is made once, of 256 bits, for its owner alone, and nothing else is left behind', () => {
    const secret = keptSecret(data())
    expect(secret).toMatch(/^[0-9a-f]{64}$/)
    expect(readFileSync(file(), 'utf8')).toBe(`${secret}\n`)
    expect([modeOf(data()), modeOf(file())]).toEqual([0o700, 0o600])
    expect(readdirSync(data())).toEqual(['secret.key'])
    expect(keptSecret(data())).toBe(secret)
  })

  it('is another in each folder', () => {
    expect(keptSecret(data())).not.toBe(keptSecret(join(folder, 'other')))
  })

  it.each([
    ['', 'is empty'],
    ['a'.repeat(63), 'is cut'],
    ['a'.repeat(65), 'is too long'],
    [`${'a'.repeat(64)}\n${'b'.repeat(64)}`, 'holds two'],
    ['G'.repeat(64), 'is not hexadecimal'],
  ])('is refused with %j in its file, which %s, and left as it is', (text) => {
    expect(refusal(text)).toMatchObject({
      code: 'ERR_FORGOT_CONFIG',
      message: `secret: ${file()} does not hold 64 hex characters: restore it, or remove it and ask again`,
    })
    expect(readFileSync(file(), 'utf8')).toBe(text)
  })

  it('is read with the blanks around it that an editor leaves', () => {
    expect(refusal(`${'a'.repeat(64)}\r\n`)).toBe('a'.repeat(64))
  })

  it('is asked for where its folder cannot be made', () => {
    writeFileSync(join(folder, 'site'), '')
    expect(() => keptSecret(data())).toThrow(
      `secret: none is set and ${file()} cannot be made: set one, or make the folder writable`,
    )
    expect(existsSync(file())).toBe(false)
  })
})
