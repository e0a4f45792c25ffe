import { describe, expect, it } from 'vitest'
import { clientNetwork, isLoopback } from '../src/network.ts'

describe('a client', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:0DB8:0001:0002::9', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
  ])('at %s is known as %s', (ip, network) => {
    expect(clientNetwork(ip)).toBe(network)
  })
})

it.each([
  '127.0.0.1',
  '127.8.9.1',
  '::1',
  '[::1]',
  '::ffff:127.0.0.1',
  'localhost',
  'a.localhost',
  'LOCALHOST',
])('takes %s for this machine', (host) => {
  expect(isLoopback(host)).toBe(true)
})

it.each(['128.0.0.1', '127.evil.example', 'localhost.evil.example', '::2', '0.0.0.0', ''])(
  'does not take %s for this machine',
  (host) => {
    expect(isLoopback(host)).toBe(false)
  },
)
