import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import Database from 'better-sqlite3'
import { parse, stringify } from 'yaml'
import type { Config } from '../../src/config/config.ts'
import { keyNamesAt } from '../../src/config/keys.ts'
import { loadConfig } from '../../src/config/load.ts'
import { SqlStore } from '../../src/store/sql.ts'
import { openOwnSqlite } from '../../src/store/sqlite.ts'

/** What the documents take from the environment. */
export const environment = {
  RECOVERY_SECRET: 'x'.repeat(32),
  OLD_RECOVERY_SECRET: 'y'.repeat(32),
  HOOK_SECRET: 'x'.repeat(32),
  SMTP_PASS: 'x',
  STORE_PASS: 'x',
  USERS_PASS: 'x',
  USERS_SECRET: 'x'.repeat(32),
} as const

export const read = (document: string): string => readFileSync(document, 'utf8')

/** A fenced part of a document. */
export interface Block {
  readonly document: string
  readonly language: string
  readonly text: string
}

/** The fenced parts of a document, those within lists too, without their indent. */
export function blocks(document: string, language?: string): Block[] {
  return [...read(document).matchAll(/^( *)```(\w*)\n(.*?)^ *```$/gms)]
    .map(([, indent = '', name = '', text = '']) => ({
      document,
      language: name,
      text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }))
    .filter((block) => language === undefined || block.language === language)
}

/** A document's headings as links name them. */
function headings(document: string): string[] {
  return [...read(document).matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** The links of a document that lead to no file, or to no heading of one. */
export function deadLinks(document: string): string[] {
  const links = [...read(document).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
  return links
    .filter(([, file = '', heading]) => {
      const target = file === '' ? document : join(dirname(document), file)
      if (!existsSync(target)) return true
      return heading !== undefined && !headings(target).includes(heading)
    })
    .map(([link]) => link)
}

/** What a document calls keys of the configuration, and are none. */
export function unknownKeys(document: string): string[] {
  const names = [...read(document).matchAll(/`([a-z]+(?:\.[a-zA-Z]+)+)`/g)].map(
    ([, name = '']) => name,
  )
  return names.filter((name) => {
    const path = name.split('.')
    const isFile = /\.(?:ts|eta|yaml|css|js|mjs|md)$/.test(name)
    if (isFile || !keyNamesAt([]).includes(path[0] ?? '')) return false
    return !keyNamesAt(path.slice(0, -1)).includes(path.at(-1) ?? '')
  })
}

/** A line of a shell, taken apart. */
export interface Line {
  readonly document: string
  readonly text: string
  /** Variables that are set for this line alone. */
  readonly env: Readonly<Record<string, string>>
  readonly words: readonly string[]
  /** The file that its output goes to. */
  readonly to: string | null
}

/** The lines that a block types, without its comments. */
export function linesOf({ document, text }: Block): Line[] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/(?:^|\s+)#.*$/, '').trim())
    .filter((line) => line !== '')
    .map((line) => ({ document, ...takeApart(line) }))
}

function takeApart(text: string): Omit<Line, 'document'> {
  const [typed = '', to] = text.split(/ > (?=\S+$)/)
  const all = [...typed.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  )
  const first = all.findIndex((word) => !/^[A-Z_]+=/.test(word))
  const env = all.slice(0, first).map((word) => word.split(/=(.*)/s).slice(0, 2))
  const words = all.slice(first)
  const isRun = words[0] === 'npx' && words[1] === 'forgot-password'
  const isScript = words.slice(0, 5).join(' ') === 'npm run -s forgot-password --'
  return {
    text,
    env: Object.fromEntries(env) as Record<string, string>,
    words: isRun ? words.slice(1) : isScript ? ['forgot-password', ...words.slice(5)] : words,
    to: to ?? null,
  }
}

/** What a query finds in a store with three events, and the columns of its table. */
export async function auditStore(query: string): Promise<{ events: string[]; columns: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'forgot-docs-'))
  try {
    const file = join(folder, 'store.db')
    const store = await SqlStore.open(openOwnSqlite(`sqlite:${file}`), '')
    const about = { resetId: 'r', client: '', reason: '', at: Date.now() }
    const nobody = { ...about, name: 'requested', userId: null } as const
    await store.audit.add([{ ...nobody, subjectKey: 'alice' }])
    await store.audit.add([{ ...nobody, subjectKey: 'bob' }])
    await store.audit.add([{ ...about, name: 'changed', userId: '7', subjectKey: 'alice' }])
    await store.close()
    const database = new Database(file)
    const rows = database.prepare(query).all() as { event: string }[]
    const names = database.prepare("select name from pragma_table_info('audit_event')").pluck()
    const found = { events: rows.map(({ event }) => event), columns: names.all() as string[] }
    database.close()
    return found
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const signingKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()

/** Does something in a folder that is removed after it. */
export function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync('test/tmp-')
  const remove = () => rmSync(folder, { recursive: true })
  let result: T | undefined
  try {
    result = use(folder)
    return result
  } finally {
    if (result instanceof Promise) result.then(remove, remove)
    else remove()
  }
}

/** What a fragment says, over the complete configuration, of a site that mails codes as well. */
export function loadFragment(complete: string, fragment: string): Config {
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
    return loadConfig(file, { env: environment })
  })
}

/** Compiles code as a site that has the package would. */
export async function compile(code: readonly string[]): Promise<void> {
  // Whole, since commands are typed in other folders meanwhile.
  const folder = resolve(mkdtempSync('test/tmp-'))
  for (const [index, text] of code.entries()) writeFileSync(join(folder, `${index}.ts`), text)
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../tsconfig.test.json',
      compilerOptions: { paths: { 'fastify-forgot-password': ['../../src/index.ts'] } },
      include: ['.'],
    }),
  )
  const compiler = resolve('node_modules/typescript/bin/tsc')
  await promisify(execFile)(process.execPath, [compiler, '-p', folder])
    .catch(({ stdout }: { stdout: string }) => {
      throw new Error(stdout)
    })
    .finally(() => rmSync(folder, { recursive: true }))
}

/** Whether what is shown of another program's file is whole, as far as that can be told without the program. */
export function isWhole({ language, text }: Block): boolean {
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0
  if (language === 'yml') return typeof parse(text) === 'object'
  if (language === 'apache') return count(/^<\w+/gm) === count(/^<\/\w+/gm)
  if (language === 'ini') return /^(?:(?:\[\w+\]|\w+=.+)\n)+$/.test(text)
  return count(/\{/g) === count(/\}/g)
}

/** What openapi.yaml says of bodies: of answers, and of what is asked. */
export function openapi(): Record<'isAnswer' | 'isAsked', (body: unknown) => boolean> {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema(parse(read('openapi.yaml')), 'openapi')
  const anyOf = (...names: string[]) =>
    ajv.compile({ anyOf: names.map((name) => ({ $ref: `openapi#/components/schemas/${name}` })) })
  return {
    isAnswer: anyOf('Asked', 'Proven', 'Changed', 'Failure'),
    isAsked: anyOf('Request', 'Verify', 'ChangeByToken', 'ChangeByCode'),
  }
}
