import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { drawArchitecture, importsOf, mailWay, requestWay } from '../docs/images/architecture.ts'

/** What a file needs, and what that needs. */
function reachOf(file: string, reached: Set<string> = new Set()): ReadonlySet<string> {
  if (reached.has(file)) return reached
  reached.add(file)
  for (const target of importsOf(file)) reachOf(target, reached)
  return reached
}

it('the picture of the architecture is that of the code', () => {
  expect(readFileSync('docs/images/architecture.svg', 'utf8')).toBe(drawArchitecture())
})

it('a request and a mail go the ways that are drawn', () => {
  for (const [start, way] of [
    ['server', requestWay],
    ['courier-worker', mailWay.slice(1)],
  ] as const) {
    const reached = reachOf(start)
    expect(way.filter(([file]) => !reached.has(file))).toEqual([])
  }
  expect(requestWay).toHaveLength(5)
})
