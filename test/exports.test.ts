import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import * as everything from '../src/index.ts'
import { compile } from './support/documents.ts'

const index = readFileSync('src/index.ts', 'utf8')

/** What a site can import, and where it is written. */
const exports = [...index.matchAll(/export (?:type )?\{([^}]+)\} from '(.+)'/g)].flatMap(
  ([, names = '', file = '']) =>
    names.split(',').map((name) => ({ name: name.trim().split(' as ')[0] ?? '', file })),
)

/** The comment right above what is exported; `''` where there is none. */
function commentOf({ name, file }: { readonly name: string; readonly file: string }): string {
  const text = readFileSync(`src/${file}`, 'utf8')
  const kinds = '(?:export )?(?:abstract )?(?:async )?(?:class|const|function|interface|type)'
  const written = new RegExp(`/\\*\\*((?:(?!\\*/)[^])+)\\*/\\n${kinds} ${name}\\b`)
  return (written.exec(text)?.[1] ?? '').replaceAll(/^ \* ?/gm, '')
}

const exampleOf = (comment: string) => /```ts\n([\s\S]+?)```/.exec(comment)?.[1] ?? ''

it('whatever a site can import says what it is', () => {
  expect(exports.length).toBeGreaterThan(20)
  expect(exports.filter((each) => commentOf(each).trim() === '')).toEqual([])
})

it('what is more than a type has an example, alone or with what it is used by, and each compiles', async () => {
  const examples = exports.map((each) => exampleOf(commentOf(each))).filter((text) => text !== '')
  const unshown = Object.keys(everything)
    .filter((name) => name !== 'default')
    .filter((name) => !examples.some((text) => new RegExp(`\\b${name}\\b`).test(text)))
  expect(unshown).toEqual([])
  await compile(examples)
})
