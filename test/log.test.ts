import { expect, it } from 'vitest'
import { describeError, scrub } from '../src/log.ts'

it('takes addresses and tokens out of other programs’ words', () => {
  const text = scrub(
    '550 <alice@site.example>: ?token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n{"a":1}',
  )
  expect(text).toBe('550 <[address]>: ?token=[redacted] {"a":1}')
})

it('describes an error and its causes without their addresses', () => {
  const cause = new Error('refused bob@site.example')
  const described = describeError(new TypeError('no alice@site.example', { cause }))
  expect(described).toMatchObject({ type: 'TypeError', message: 'no [address]' })
  expect(JSON.stringify(described)).not.toContain('@site.example')
})

it('keeps an endless message short', () => {
  expect(scrub('a b '.repeat(1000)).length).toBe(300)
  expect(scrub('a@'.repeat(1e6)).length).toBeLessThanOrEqual(300)
})
