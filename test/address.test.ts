import { describe, expect, it } from 'vitest'
import { domainOf, foldAscii, parseAddress } from '../src/address.ts'

describe('parseAddress', () => {
  it.each([
    'alice@site.example',
    "o'neil+list@sub.site.example",
    'дмитрий@почта.рф',
    `${'a'.repeat(64)}@site.example`,
    `a@${'b'.repeat(63)}.example`,
  ])('takes %s', (address) => {
    expect(parseAddress(address)).toBe(address)
  })

  it('takes off the blanks around it and keeps its spelling', () => {
    expect(parseAddress(' \tAlice@Site.Example\r\n')).toBe('Alice@Site.Example')
  })

  it.each([
    ['nothing', ''],
    ['no @', 'alice'],
    ['no local part', '@site.example'],
    ['two @', 'a@@site.example'],
    ['a host without a dot', 'alice@site'],
    ['65 octets before the @', `${'a'.repeat(65)}@site.example`],
    ['a label of 64', `a@${'b'.repeat(64)}.example`],
    [
      '255 octets',
      `${'a'.repeat(64)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.example`,
    ],
    ['a comma', 'alice@site.example,evil@evil.example'],
    ['a semicolon', 'alice@site.example;evil@evil.example'],
    ['a blank inside', 'alice@site.example evil@evil.example'],
    ['a line break inside', 'alice@site.example\r\nBcc: evil@evil.example'],
    ['a display name', 'Alice <alice@site.example>'],
    ['a comment', 'alice@site.example (evil@evil.example)'],
    ['a group', 'grp: alice@site.example, evil@evil.example;'],
    ['a quoted local part', '"a,b"@site.example'],
    ['NUL at the end', 'alice@site.example\0'],
    ['NUL inside', 'alice\0@site.example'],
    ['a zero-width space', 'alice@site.example\u200b'],
    ['an address literal', 'alice@[127.0.0.1]'],
    ['an IPv4 address', 'alice@127.0.0.1'],
    ['a dot at the end of the local part', 'alice.@site.example'],
    ['a hyphen at the end of a label', 'alice@site-.example'],
  ])('refuses %s', (_, address) => {
    expect(parseAddress(address)).toBeNull()
  })
})

it('does not look at each character of what is far too long', () => {
  for (const text of [
    `a${' '.repeat(1e6)}a`,
    `a${'.'.repeat(1e6)}@x`,
    `${'a'.repeat(1e6)}@site.example`,
  ]) {
    expect(parseAddress(text)).toBeNull()
  }
})

describe('foldAscii', () => {
  it('folds A to Z and nothing that only looks like them', () => {
    expect(foldAscii('MIKE@SITE.example')).toBe('mike@site.example')
    expect(foldAscii('mıke \u212A ſ')).toBe('mıke \u212A ſ')
  })
})

it('names the domain as DNS spells it', () => {
  expect(domainOf('дмитрий@почта.рф')).toBe('xn--80a1acny.xn--p1ai')
})
