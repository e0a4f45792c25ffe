import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../src/config/load.ts'
import { eventNames } from '../src/events.ts'
import { hooksOf } from '../src/trail.ts'
import { Desk, isLasting, typedIn } from './support/desk.ts'
import {
  auditStore,
  blocks,
  compile,
  deadLinks,
  environment as env,
  inFolder,
  isWhole,
  linesOf,
  loadFragment,
  openapi,
  read,
  unknownKeys,
} from './support/documents.ts'

const pages = readdirSync('docs').filter((name) => name.endsWith('.md'))
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'TRANSLATING.md',
  ...pages.map((name) => `docs/${name}`),
]

const blocksOf = (language: string) => documents.flatMap((document) => blocks(document, language))
const blocksOfAll = (language: string) => blocksOf(language).map(({ text }) => text)

/** The complete configuration that the README begins with. */
const [complete = '', ...fragments] = blocksOfAll('yaml')

// By another process, beside all that follows; asked for last.
const compiled = compile(blocksOfAll('ts'))
compiled.catch(() => {})

describe('the README', () => {
  it('shows a configuration that loads, and that asks for its secrets', () => {
    inFolder((folder) => {
      const file = join(folder, 'config.yaml')
      writeFileSync(file, complete)
      expect(loadConfig(file, { env }).smtp.relays).toMatchObject([{ pass: 'x' }])
      expect(() => loadConfig(file, { env: {} })).toThrow(/RECOVERY_SECRET is not set: make one/)
    })
  })
})

describe('a part of a configuration', () => {
  it.each(fragments)('loads over a complete one: number %$', (fragment) => {
    expect(Object.keys(parse(fragment))).toHaveLength(1)
    loadFragment(complete, fragment)
  })

  it('that is wrong is refused', () => {
    expect(() => loadFragment(complete, 'recovery: { method: [code] }')).toThrow(
      'did you mean "methods"?',
    )
    expect(() =>
      loadFragment(complete, 'routes: { POST /x: { action: forgot, step: ask } }'),
    ).toThrow('step')
  })
})

describe('commands', () => {
  const { scripts } = JSON.parse(read('package.json'))
  const own = typedIn(['docs/start.md', ...documents.filter((name) => name !== 'docs/start.md')])
    // Followed from its beginning, below.
    .filter(({ document }) => document !== 'docs/start.md')
  const known = 'cd cp curl echo forgot-password mkdir mv node npm npx openssl rm'.split(' ')

  it.each(documents)('do what %s says, in the folder of a site', async (document) => {
    const typed = own.filter((line) => line.document === document && !isLasting(line))
    if (typed.some(({ words }) => words[0] === 'forgot-password')) {
      await Desk.with(complete, (desk) => desk.type(typed))
    }
  })

  it(
    'run until they are told to stop',
    () =>
      Desk.with(complete, (desk) =>
        Promise.all(own.filter(isLasting).map((line) => desk.type([line]))),
      ),
    60_000,
  )

  it('lead from an empty folder to a working reset, in docs/start.md', async () => {
    await Desk.with(null, async (desk) => {
      await desk.follow('docs/start.md')
      expect(await desk.smtp.to('you@library.example')).toHaveLength(1)
    })
  })

  it('that are not ours are known programs, in words that a shell reads', () => {
    for (const { words, text } of blocksOf('sh').flatMap(linesOf)) {
      expect(known, text).toContain(words[0])
    }
    execFileSync('bash', ['-n'], { input: blocksOfAll('sh').join('\n') })
  })

  it('of npm are scripts that there are', () => {
    for (const [, script] of documents
      .map(read)
      .join()
      .matchAll(/npm run (?:-s )?([\w:-]+)/g)) {
      expect(Object.keys(scripts)).toContain(script)
    }
  })
})

it.each(['yml', 'nginx', 'caddy', 'apache', 'ini'].flatMap(blocksOf))(
  'a file of another program is whole: $language in $document',
  (block) => {
    expect(isWhole(block)).toBe(true)
  },
)

describe('docs/README.md', () => {
  it('leads to every page', () => {
    const linked = [...read('docs/README.md').matchAll(/\]\((\w+\.md)\)/g)].map(([, name]) => name)
    expect(linked.toSorted()).toEqual(pages.filter((name) => name !== 'README.md').toSorted())
  })
})

describe('JSON', () => {
  const { isAnswer, isAsked } = openapi()

  it.each(blocksOfAll('json'))('is what openapi.yaml says: number %$', (text) => {
    const body = JSON.parse(text)
    const isRight = Object.hasOwn(body, 'success') ? isAnswer(body) : isAsked(body)
    expect(isRight).toBe(true)
  })

  it('that openapi.yaml does not know is refused', () => {
    expect(isAnswer({ success: true, step: 'sent', message: 'x', data: {} })).toBe(false)
    expect(isAsked({ token: 'x' })).toBe(false)
  })
})

describe('docs/events.md', () => {
  it('names every event with its hook', () => {
    const named = [...read('docs/events.md').matchAll(/^\| `(\w+)` \| `(on\w+)` \|/gm)]
    expect(named.map(([, event]) => event)).toEqual([...eventNames])
    const hooks = Object.keys(hooksOf(() => {}))
    expect(named.map(([, , hook]) => hook)).toEqual(hooks)
  })

  it('shows a query that the store answers, and names every column', async () => {
    const [query] = blocks('docs/events.md', 'sql')
    const { events, columns } = await auditStore(query?.text ?? '')
    const named = [...read('docs/events.md').matchAll(/^\| `(\w+)` \| [^`]/gm)]
    expect(events.sort()).toEqual(['changed', 'requested'])
    expect(named.map(([, column]) => column)).toEqual(expect.arrayContaining(columns))
  })
})

describe('SECURITY.md', () => {
  const rows = [...read('SECURITY.md').matchAll(/^\|.*`test\/.*\|$/gm)].map(([row]) => row)

  it('has a test for each promise', () => {
    const [, promises = ''] = read('SECURITY.md').split(/^## What is (?:not )?promised$/m)
    const lines = promises.split('\n').filter((line) => line.startsWith('| '))
    expect(lines.slice(1)).toEqual(rows)
    expect(rows.length).toBeGreaterThan(10)
  })

  it.each(rows)('names tests that there are: %.60s', (row) => {
    for (const [, file = '', titles = ''] of row.matchAll(/`(test\/[^`]+)`([^`]*)/g)) {
      const named = [...titles.matchAll(/“([^”]+)”/g)].map(([, title]) => title)
      const code = read(file)
      expect(named, file).not.toEqual([])
      expect(named.filter((title) => !code.includes(`'${title}'`))).toEqual([])
    }
  })
})

describe.each(documents)('%s', (document) => {
  it('links to files and headings that are there', () => {
    expect(deadLinks(document)).toEqual([])
  })

  it('names keys of the configuration that there are', () => {
    expect(unknownKeys(document)).toEqual([])
  })
})

it('code compiles in every document', async () => {
  expect(blocksOfAll('ts').length).toBeGreaterThan(5)
  await compiled
})
