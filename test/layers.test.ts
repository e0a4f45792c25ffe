import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, it } from 'vitest'

interface Rule {
  /** Rooms and files it may import from, besides its own room. */
  readonly imports: readonly string[]
  /** Packages it may import; `node:` modules are everybody's. */
  readonly packages?: readonly string[]
}

const leaves = [
  'action',
  'address',
  'clock',
  'colour',
  'errors',
  'events',
  'html',
  'log',
  'nearest',
  'network',
  'opened',
  'text',
  'units',
  'user',
]
/** What a part asks of another, without knowing who does it. */
const ports = [
  'config/config',
  'limit/limiter',
  'mail/mailer',
  'password/passwords',
  'store/code',
  'store/mail',
  'store/store',
  'users/users',
]

/**
 * Which part may import which, from the inside out: a part is a room (a folder of `src`) or a file of it.
 * The most exact name counts. A new implementation of a port is a new file, its line here, and its name in the
 * list of implementations below.
 */
const rules: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(leaves.map((leaf) => [leaf, { imports: [] }])),
  node: { imports: ['errors'] },
  'log-stream': { imports: [] },
  body: { imports: [] },
  incoming: { imports: ['action', 'config/config'] },
  origin: { imports: ['action', 'network'] },
  mount: { imports: ['action', 'incoming', 'log', 'respond/assets'], packages: ['fastify'] },
  templates: { imports: ['errors', 'html', 'text'], packages: ['eta', 'yaml'] },
  security: { imports: ['config/config'], packages: ['helmet'] },
  config: {
    imports: ['address', 'errors', 'nearest', 'network', 'units'],
    packages: ['yaml', 'zod'],
  },
  locale: {
    imports: ['errors', 'html', 'nearest', 'config/config', 'templates', 'text'],
    packages: ['yaml'],
  },
  proof: { imports: [...leaves, ...ports] },
  store: { imports: [...leaves, ...ports], packages: ['kysely'] },
  'store/sqlite': { imports: ['errors'], packages: ['better-sqlite3', 'kysely'] },
  'store/sqlite-driver': { imports: [], packages: ['better-sqlite3', 'kysely'] },
  'store/postgres': { imports: ['errors'], packages: ['kysely', 'pg'] },
  'store/postgres-bell': { imports: ['errors'], packages: ['pg'] },
  'store/mysql': { imports: ['errors'], packages: ['kysely', 'mysql2'] },
  'store/mysql-pool': { imports: ['errors'], packages: ['kysely', 'mysql2'] },
  users: { imports: [...leaves, ...ports] },
  signature: { imports: ['units'] },
  'users/answer': { imports: ['user'], packages: ['zod'] },
  'users/endpoint': { imports: [...leaves, ...ports, 'signature'] },
  ...Object.fromEntries(
    ['users/mongo', 'users/mongo-connect', 'users/mongo-id', 'users/mongo-probe'].map((file) => [
      file,
      { imports: [...leaves, ...ports], packages: ['mongodb'] },
    ]),
  ),
  'users/sql': {
    imports: [...leaves, ...ports, 'store/dialect', 'store/engine', 'store/statement'],
    packages: ['kysely'],
  },
  'users/probe': {
    imports: [...leaves, ...ports, 'store/dialect', 'store/engine'],
    packages: ['kysely'],
  },
  limit: { imports: [...leaves, ...ports] },
  password: { imports: [...leaves, ...ports], packages: ['bcryptjs'] },
  'password/common': { imports: [], packages: ['@zxcvbn-ts/language-common'] },
  'password/guess': { imports: [], packages: ['@zxcvbn-ts/core', '@zxcvbn-ts/language-common'] },
  mail: { imports: [...leaves, ...ports, 'locale', 'proof', 'templates'] },
  'mail/message': {
    imports: [...leaves, ...ports, 'locale', 'templates'],
    packages: ['html-to-text'],
  },
  'mail/envelope': { imports: ['address', ...ports], packages: ['nodemailer'] },
  'mail/mime': { imports: [], packages: ['nodemailer'] },
  'mail/sendmail': { imports: [...ports], packages: ['nodemailer'] },
  'mail/sender-trial': { imports: [], packages: ['nodemailer'] },
  'mail/smtp': { imports: [...leaves, ...ports], packages: ['nodemailer'] },
  services: { imports: [...leaves, ...ports, 'locale', 'proof'] },
  // A step knows no template, no server and no driver.
  steps: { imports: [...leaves, ...ports, 'origin', 'proof', 'services', 'locale'] },
  'steps/flow': {
    imports: ['action', 'services', 'proof', 'locale', 'config/config'],
    packages: ['cookie'],
  },
  respond: {
    imports: [
      ...leaves,
      ...ports,
      'locale',
      'proof/reference',
      'services',
      'steps/flow',
      'steps/outcome',
      'steps/visit',
      'templates',
    ],
  },
  samples: {
    imports: [...leaves, ...ports, 'locale', 'mail/message', 'proof', 'services', 'steps'],
  },
  'own-files': { imports: ['locale', 'rehearsal', 'respond'] },
  rehearsal: {
    imports: [
      'ejected',
      ...leaves,
      ...ports,
      'locale',
      'mail/message',
      'respond',
      'samples',
      'services',
      'steps/visit',
      'templates',
    ],
  },
  // What is wrong with a language: as it is written, and as it is shown.
  'mail/source': { imports: ['locale'], packages: ['yaml'] },
  proofread: {
    imports: [
      ...leaves,
      ...ports,
      'locale',
      'mail/message',
      'mail/source',
      'proof',
      'respond',
      'samples',
      'templates',
    ],
  },
  languages: {
    imports: [...ports, 'locale', 'mail/message', 'templates'],
  },
  'language-check': {
    imports: [...ports, 'languages', 'locale', 'mail/lint', 'mail/message', 'proofread', 'text'],
  },
  // It shows what others make, and sends what it shows.
  preview: {
    imports: [
      ...leaves,
      ...ports,
      'incoming',
      'locale',
      'mail-parts',
      'mail/envelope',
      'mail/mailbox',
      'mail/message',
      'mail/remedies',
      'mount',
      'origin',
      'proof',
      'ejected',
      'respond',
      'samples',
      'templates',
    ],
  },
  'preview/mount': { imports: ['action', 'incoming', 'mount', 'templates'], packages: ['fastify'] },
  desk: { imports: [...leaves, ...ports, 'mail/link', 'proof'] },
  ejected: { imports: ['errors', 'templates'] },
  instance: { imports: ['clock', 'proof/secret'] },
  layout: { imports: ['respond'] },
  // What the owner is told: it opens what a start would open.
  doctor: { imports: ['*'] },
  forgot: { imports: [...leaves, 'proof', 'respond', 'services', 'steps'] },
  demo: {
    imports: [...leaves, ...ports, 'origin', 'proof', 'templates', 'mail/mailbox'],
    packages: ['bcryptjs', 'better-sqlite3', 'cookie', 'postal-mime'],
  },
  // The only file that knows which implementations there are, and the thread that it starts.
  parts: { imports: ['*'] },
  'mail-parts': { imports: ['*'] },
  'courier-parts': { imports: ['*'] },
  databases: { imports: ['*'] },
  wire: { imports: ['*'] },
  'wire-courier': { imports: ['*'] },
  beside: { imports: ['mail/courier', 'opened', 'units'] },
  'courier-thread': {
    imports: [
      'beside',
      'config/config',
      'events',
      'log',
      'mail/courier',
      'mail/delivery',
      'metrics',
      'trail',
      'units',
    ],
  },
  'courier-worker': {
    imports: [
      'config/config',
      'courier-thread',
      'events',
      'log',
      'mail/delivery',
      'metrics',
      'trail',
      'wire-courier',
    ],
  },
  'key-watch': { imports: ['clock', 'errors', 'log', 'proof/secret', 'store/store', 'units'] },
  // Starts this program anew, and speaks with it.
  processes: {
    imports: ['config/config', 'errors', 'events', 'log', 'metrics', 'parts', 'store/mail'],
  },
  metrics: { imports: ['events', 'mail/delivery', 'store/mail'] },
  health: {
    imports: ['clock', 'config/config', 'mail/mailer', 'metrics', 'store/store'],
    packages: ['fastify'],
  },
  webhook: { imports: ['clock', 'log', 'mail/courier', 'signature', 'store/store', 'units'] },
  trail: { imports: ['events', 'log', 'store/store'] },
  itrocks: { imports: ['*'] },
  dev: { imports: ['*'], packages: ['fastify'] },
  fastify: { imports: ['*'], packages: ['@fastify/view', 'fastify'] },
  'fastify-scope': { imports: ['*'], packages: ['@fastify/formbody', 'fastify'] },
  server: { imports: ['*'], packages: ['fastify'] },
  serve: { imports: ['*'] },
  cli: { imports: ['*'] },
  'cli/config': { imports: ['*'], packages: ['yaml'] },
  'cli/questions': { imports: ['*'], packages: ['yaml'] },
  'cli/locales-new': { imports: ['*'], packages: ['yaml'] },
  index: { imports: ['*'] },
}

const edges = [
  'wire',
  'wire-courier',
  'courier-thread',
  'courier-worker',
  'dev',
  'fastify',
  'fastify-scope',
  'itrocks',
  'processes',
  'server',
  'serve',
  'cli',
  'index',
]

interface Import {
  readonly file: string
  readonly target: string
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replace(/\.ts$/, ''))

function importsOf(file: string): Import[] {
  // What stands in a comment is an example.
  const text = readFileSync(join('src', `${file}.ts`), 'utf8').replaceAll(/\/\*\*[\s\S]*?\*\//g, '')
  return [...text.matchAll(/(?:\bfrom |import\()'([^'\n]+)'/g)].map(([, target = '']) => ({
    file,
    target: target.startsWith('.')
      ? relative('src', resolve('src', dirname(file), target)).replace(/\.ts$/, '')
      : `npm:${target}`,
  }))
}

function ruleOf(file: string): Rule {
  const rule = rules[file] ?? rules[dirname(file)]
  if (rule === undefined) throw new Error(`src/${file}.ts has no place in the layers: give it one`)
  return rule
}

function breaks({ file, target }: Import): boolean {
  const rule = ruleOf(file)
  if (target.startsWith('npm:node:')) return false
  if (target.startsWith('npm:')) return !(rule.packages ?? []).includes(packageOf(target))
  const isOwnRoom = dirname(file) !== '.' && dirname(file) === dirname(target)
  if (isOwnRoom) return false
  if (rule.imports.includes('*')) return target === 'index'
  return !rule.imports.includes(target) && !rule.imports.includes(dirname(target))
}

function packageOf(target: string): string {
  const name = target.replace('npm:', '')
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}

const all = files.flatMap(importsOf)

it('imports only in the directions of the layers', () => {
  expect(all.filter(breaks)).toEqual([])
})

it('keeps Fastify at the edge, and every implementation behind wire.ts and parts.ts', () => {
  const users = (target: string) =>
    [...new Set(all.filter((each) => each.target === target).map((each) => each.file))].sort()
  expect(users('npm:fastify')).toEqual([
    'dev',
    'fastify',
    'fastify-scope',
    'health',
    'mount',
    'preview/mount',
    'server',
  ])
  for (const implementation of [
    'mail/sendmail',
    'mail/smtp',
    'password/hash',
    'store/mysql',
    'store/postgres',
    'store/postgres-bell',
    'store/sqlite',
    'users/http',
    'users/mongo',
    'users/sql',
  ]) {
    const [only, ...others] = users(implementation)
    expect([implementation, others]).toEqual([implementation, []])
    expect(['courier-parts', 'databases', 'mail-parts', 'parts', 'wire']).toContain(only)
  }
})

it('has no import that goes round in a circle between rooms', () => {
  const room = (file: string) => (dirname(file) === '.' ? file : dirname(file))
  const ours = all.filter((each) => files.includes(each.target) && !edges.includes(room(each.file)))
  const graph = new Map<string, Set<string>>()
  for (const { file, target } of ours) {
    // Ports may be named from anywhere: they hold no code that could run.
    if (room(file) === room(target) || ports.includes(target)) continue
    graph.set(room(file), (graph.get(room(file)) ?? new Set()).add(room(target)))
  }
  const walk = (from: string, path: readonly string[]): string[] => {
    if (path.includes(from)) return [[...path.slice(path.indexOf(from)), from].join(' -> ')]
    return [...(graph.get(from) ?? [])].flatMap((next) => walk(next, [...path, from]))
  }
  expect([...new Set([...graph.keys()].flatMap((from) => walk(from, [])))]).toEqual([])
})

it('catches a step that imports a template engine, and a leaf that imports anything', () => {
  expect(breaks({ file: 'steps/open', target: 'npm:eta' })).toBe(true)
  expect(breaks({ file: 'steps/open', target: 'respond/html' })).toBe(true)
  expect(breaks({ file: 'clock', target: 'config/config' })).toBe(true)
  expect(breaks({ file: 'respond/html', target: 'store/sqlite' })).toBe(true)
  expect(breaks({ file: 'steps/open', target: 'store/store' })).toBe(false)
})

it('keeps files short enough to be read at once', () => {
  const long = files.filter(
    (file) => readFileSync(join('src', `${file}.ts`), 'utf8').split('\n').length > 221,
  )
  expect(long).toEqual([])
})

it('exports nothing that no other file names', () => {
  const texts = new Map(
    files.map((file) => [file, readFileSync(join('src', `${file}.ts`), 'utf8')]),
  )
  const tests = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join('test', file), 'utf8'))
  const exported =
    /^export (?:async |abstract )?(?:const|let|function|class|type|interface) (\w+)/gm
  const dead = [...texts].flatMap(([file, text]) => {
    const others = [...texts].filter(([other]) => other !== file).map(([, each]) => each)
    return [...text.matchAll(exported)].flatMap(([, name = '']) => {
      const named = new RegExp(`\\b${name}\\b`)
      return [...others, ...tests].some((each) => named.test(each)) ? [] : [`${file} ${name}`]
    })
  })
  // What a configuration in code is written in.
  expect(dead.filter((each) => !each.startsWith('config/config '))).toEqual([])
})
