import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import type { Config } from '../src/config/config.ts'
import { keyNamesAt } from '../src/config/keys.ts'
import { loadConfig } from '../src/config/load.ts'
import { eventNames } from '../src/events.ts'
import { SqlStore } from '../src/store/sql.ts'
import { openOwnSqlite } from '../src/store/sqlite.ts'
import { hooksOf } from '../src/trail.ts'

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'TRANSLATING.md',
  'docs/events.md',
  'docs/json.md',
  'docs/mail.md',
  'docs/scale.md',
  'docs/templates.md',
  'docs/users.md',
]
const env = {
  RECOVERY_SECRET: 'x'.repeat(32),
  OLD_RECOVERY_SECRET: 'y'.repeat(32),
  HOOK_SECRET: 'x'.repeat(32),
  SMTP_PASS: 'x',
  STORE_PASS: 'x',
  USERS_PASS: 'x',
  USERS_SECRET: 'x'.repeat(32),
}

const signingKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()

const read = (document: string) => readFileSync(document, 'utf8')

function blocks(document: string, language: string): string[] {
  return [...read(document).matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(
    ([, text]) => text ?? '',
  )
}

function blocksOfAll(language: string): string[] {
  return documents.flatMap((document) => blocks(document, language))
}

function inFolder<T>(run: (folder: string) => T): T {
  const folder = mkdtempSync('test/tmp-')
  try {
    return run(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The complete configuration that the README begins with. */
const [complete = '', ...fragments] = blocksOfAll('yaml')

/** What a fragment says, over the complete configuration, of a site that mails codes as well. */
function loadFragment(fragment: string): Config {
  return inFolder((folder) => {
    const codes = 'recovery: { methods: [link, code] }'
    const { users, ...others } = parse(complete)
    // Accounts of another kind have other keys.
    const base = Object.hasOwn(parse(fragment), 'users') ? others : { ...others, users }
    writeFileSync(join(folder, 'complete.yaml'), `${stringify(base)}\n${codes}\n`)
    writeFileSync(join(folder, 'my-users.mjs'), '')
    const file = join(folder, 'config.yaml')
    writeFileSync(file, `imports: [complete.yaml]\n${fragment}`)
    writeFileSync(join(folder, 'dkim.pem'), signingKey)
    return loadConfig(file, { env })
  })
}

describe('the README', () => {
  it('shows a configuration that loads, and that asks for its secrets', () => {
    inFolder((folder) => {
      const file = join(folder, 'config.yaml')
      writeFileSync(file, complete)
      expect(loadConfig(file, { env }).smtp.relays).toMatchObject([{ pass: 'x' }])
      expect(() => loadConfig(file, { env: {} })).toThrow(/RECOVERY_SECRET is not set: make one/)
    })
  })

  it('shows code that compiles, as do the other documents', () => {
    inFolder((folder) => {
      const code = blocksOfAll('ts')
      expect(code.length).toBeGreaterThan(2)
      for (const [index, text] of code.entries()) writeFileSync(join(folder, `${index}.ts`), text)
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({
          extends: '../../tsconfig.test.json',
          compilerOptions: { paths: { 'fastify-forgot-password': ['../../src/index.ts'] } },
          include: ['.'],
        }),
      )
      execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', folder], {
        encoding: 'utf8',
      })
    })
  })

  it('names commands that there are', () => {
    const { scripts } = JSON.parse(read('package.json'))
    for (const [, script] of `${read('README.md')}${read('CONTRIBUTING.md')}`.matchAll(
      /npm run (?:-s )?([\w-]+)/g,
    )) {
      expect(Object.keys(scripts)).toContain(script)
    }
  })
})

describe('a part of a configuration', () => {
  it.each(fragments)('loads over a complete one: number %$', (fragment) => {
    expect(Object.keys(parse(fragment))).toHaveLength(1)
    loadFragment(fragment)
  })

  it('that is wrong is refused', () => {
    expect(() => loadFragment('recovery: { method: [code] }')).toThrow('did you mean "methods"?')
    expect(() => loadFragment('routes: { POST /x: { action: forgot, step: ask } }')).toThrow('step')
  })
})

describe('JSON', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema(parse(read('openapi.yaml')), 'openapi')
  const anyOf = (...names: string[]) =>
    ajv.compile({ anyOf: names.map((name) => ({ $ref: `openapi#/components/schemas/${name}` })) })
  const isAnswer = anyOf('Asked', 'Proven', 'Changed', 'Failure')
  const isAsked = anyOf('Request', 'Verify', 'ChangeByToken', 'ChangeByCode')

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
    const [query = ''] = blocks('docs/events.md', 'sql')
    const folder = mkdtempSync('test/tmp-')
    try {
      const file = join(folder, 'store.db')
      const store = await SqlStore.open(openOwnSqlite(`sqlite:${file}`), '')
      const about = { resetId: 'r', client: '', reason: '', at: Date.now() }
      const nobody = { ...about, name: 'requested', userId: null } as const
      await store.audit.add({ ...nobody, subjectKey: 'alice' })
      await store.audit.add({ ...nobody, subjectKey: 'bob' })
      await store.audit.add({ ...about, name: 'changed', userId: '7', subjectKey: 'alice' })
      await store.close()
      const database = new Database(file)
      const events = database.prepare(query).all() as { event: string }[]
      const columns = database.prepare("select name from pragma_table_info('audit_event')").pluck()
      const named = [...read('docs/events.md').matchAll(/^\| `(\w+)` \| [^`]/gm)]
      expect(events.map(({ event }) => event).sort()).toEqual(['changed', 'requested'])
      expect(named.map(([, column]) => column)).toEqual(expect.arrayContaining(columns.all()))
      database.close()
    } finally {
      rmSync(folder, { recursive: true })
    }
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
    const links = read(document).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)
    for (const [, file = '', heading] of links) {
      const target = file === '' ? document : join(dirname(document), file)
      expect([target, existsSync(target)]).toEqual([target, true])
      if (heading !== undefined) expect(headings(target)).toContain(heading)
    }
  })

  it('names keys of the configuration that there are', () => {
    for (const [, name = ''] of read(document).matchAll(/`([a-z]+(?:\.[a-zA-Z]+)+)`/g)) {
      const path = name.split('.')
      const isFile = /\.(?:ts|eta|yaml|css|js|mjs|md)$/.test(name)
      if (isFile || !keyNamesAt([]).includes(path[0] ?? '')) continue
      expect(keyNamesAt(path.slice(0, -1)), name).toContain(path.at(-1))
    }
  })
})

/** A document's headings as links name them. */
function headings(document: string): string[] {
  return [...read(document).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  )
}
