import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { checkNode } from '../src/node.ts'

const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  engines: { node: string }
}
const least = engines.node.replace('>=', '')

it('runs on the Node that package.json asks for, and later', () => {
  for (const version of [`${least}.0`, '22.20.1', '24.0.0']) {
    expect(() => checkNode(version)).not.toThrow()
  }
})

it('refuses an older Node by name', () => {
  for (const version of ['22.13.1', '20.20.2', '18.0.0']) {
    expect(() => checkNode(version)).toThrow(
      `Node ${least} or later is needed, and this is ${version}`,
    )
  }
})
