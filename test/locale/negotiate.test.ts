import { describe, expect, it } from 'vitest'
import { acceptedLanguages, match, offer } from '../../src/locale/negotiate.ts'

const offered = ['en', 'fr', 'pt-BR', 'pt-PT', 'zh-Hans', 'zh-Hant', 'nb', 'he', 'sr'].flatMap(
  (tag) => offer(tag) ?? [],
)

describe('the offered language nearest to a wish', () => {
  it.each([
    ['fr', 'fr'],
    ['fr-CA', 'fr'],
    ['FR-ca', 'fr'],
    ['en-GB', 'en'],
    ['pt', 'pt-BR'],
    ['pt-AO', 'pt-BR'],
    ['pt-PT', 'pt-PT'],
    ['zh', 'zh-Hans'],
    ['zh-TW', 'zh-Hant'],
    ['zh-HK', 'zh-Hant'],
    ['zh-CN', 'zh-Hans'],
    ['no', 'nb'],
    ['iw', 'he'],
    ['sr-Latn', null],
    ['de', null],
    ['', null],
    ['*', null],
    ['../../etc/passwd', null],
    ['__proto__', null],
    ['constructor', null],
    ['en\0', null],
  ])('to %j is %j', (wish, expected) => {
    expect(match(wish, offered)).toBe(expected)
  })
})

describe('Accept-Language', () => {
  it('is read in the order of its weights', () => {
    expect(acceptedLanguages('fr;q=0.5, de, en;q=0.7, *;q=0.1, it;q=0')).toEqual(['de', 'en', 'fr'])
  })

  it('is read no further than any honest one goes', () => {
    expect(acceptedLanguages('fr,'.repeat(10_000)).length).toBeLessThan(400)
    expect(acceptedLanguages(`${'a-'.repeat(5000)};q=1`)).toHaveLength(1)
  })

  it('is passed over where it is malformed', () => {
    expect(acceptedLanguages(';;;,,,fr;q=x,*;q=1, en')).toEqual(['en'])
  })
})
