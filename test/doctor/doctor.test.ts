import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { systemClock } from '../../src/clock.ts'
import type { ConfigInput } from '../../src/config/config.ts'
import { check, examine } from '../../src/doctor/doctor.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { ejectTemplate } from '../../src/ejected.ts'
import { instancePath } from '../../src/instance.ts'
import { Cli } from '../support/process.ts'
import { route, Site } from '../support/site.ts'
import { SmtpSink } from '../support/smtp.ts'
import { freePort } from '../support/wait.ts'

let site: Site
/** Asks for a sign-in, and takes mails from one sender alone. */
let strict: SmtpSink
let count = 0

beforeAll(async () => {
  site = await Site.start({}, { clock: systemClock })
  strict = await SmtpSink.start({
    authOptional: false,
    allowInsecureAuth: true,
    onAuth: ({ password }, _session, done) =>
      password === 'right' ? done(null, { user: 'site' }) : done(new Error('not you')),
    onMailFrom: ({ address }, _session, done) =>
      address === 'library@site.example'
        ? done()
        : done(Object.assign(new Error('not from you'), { responseCode: 550 })),
  })
})
afterAll(async () => {
  await strict.stop()
  await site.stop()
})

const sections = (config: ConfigInput): ConfigInput => {
  const keys = Object.keys({ ...site.config, ...config }) as (keyof ConfigInput)[]
  const merge = (key: keyof ConfigInput) => {
    const [base, over] = [site.config[key], config[key]]
    const isMap = [base, over].every((each) => typeof each === 'object' && !Array.isArray(each))
    return isMap ? { ...(base as object), ...(over as object) } : over === undefined ? base : over
  }
  return Object.fromEntries(keys.map((key) => [key, merge(key)]))
}

/** The site's configuration with some of it changed, in a folder of its own. */
function write(config: ConfigInput = {}): string {
  count += 1
  const folder = join(site.folder, `doctor-${count}`)
  mkdirSync(folder)
  const file = join(folder, 'config.yaml')
  writeFileSync(file, stringify(sections(config)), { mode: 0o600 })
  return file
}

async function findings(found: AsyncIterable<Finding>): Promise<Finding[]> {
  const all: Finding[] = []
  for await (const finding of found) all.push(finding)
  return all
}

async function wrong(file: string): Promise<Finding[]> {
  return (await findings(examine(file))).filter(({ level }) => level !== 'good')
}

describe('a site that is as it should be', () => {
  it('is found so, and nothing in it changes', async () => {
    const file = write()
    const found = await findings(examine(file))
    expect(found.filter(({ level }) => level !== 'good')).toEqual([])
    expect([...new Set(found.map((each) => each.check))]).toEqual([
      'configuration',
      'templates',
      'locales',
      'colours',
      'files',
      'store',
      'users',
      'passwords',
      'mail',
      'site',
      'proxy',
    ])
    expect(site.smtp.mails).toEqual([])
    expect(await site.rows('select count(*) as n from password_reset')).toEqual([{ n: 0 }])
  })

  it('tells how it meets a request to whoever has its secret, and to nobody else', async () => {
    const visitor = site.visitor()
    const unknown = await visitor.get(`${route}${instancePath}`)
    const nowhere = await visitor.get(`${route}/nowhere`)
    expect([unknown.status, unknown.body]).toEqual([404, nowhere.body])
    const other = write({ secret: 'y'.repeat(40) })
    expect(await wrong(other)).toMatchObject([
      { check: 'site', level: 'fault', text: expect.stringContaining('(404)') },
    ])
  })
})

describe('a fault', () => {
  const planted: readonly [string, () => ConfigInput | Promise<ConfigInput>, RegExp, RegExp][] = [
    [
      'a wrong SMTP password',
      () => ({ smtp: { port: strict.port, user: 'site', pass: 'wrong' } }),
      /^smtp: 127\.0\.0\.1:\d+: .*not you/,
      /smtp\.user and smtp\.pass/,
    ],
    [
      'a sender that the mail server does not take',
      () => ({
        smtp: {
          ...{ port: strict.port, user: 'site', pass: 'right' },
          from: { email: 'other@site.example' },
        },
      }),
      /not from you/,
      /smtp\.from\.email/,
    ],
    [
      'a closed port',
      async () => ({ smtp: { port: await freePort() } }),
      /^smtp: 127\.0\.0\.1:\d+: .*ECONNREFUSED/,
      /smtp\.port.*firewall/,
    ],
    [
      'a table that is not there',
      () => ({ users: { ...(site.config.users as object), url: urlOfUsers(), table: 'member' } }),
      /users\.table: there is no table "member" .*did you mean "members"/,
      /as your database does/,
    ],
    [
      'a column that is not there',
      () => ({ users: { ...(site.config.users as object), url: urlOfUsers(), email: 'e_mail' } }),
      /users\.email: there is no column "e_mail" in members; it has /,
      /as your database does/,
    ],
    [
      'an address that anybody can read on its way',
      () => ({ site: { url: 'http://library.example' } }),
      /site\.url: must be https/,
      /./,
    ],
    [
      'a proxy setting that lets visitors choose their address',
      () => ({ server: { ...site.config.server, trustProxy: true } }),
      /server\.trustProxy: true takes any X-Forwarded-For/,
      /name your proxy/,
    ],
    [
      'an accent that cannot be read',
      () => ({ theme: { accent: '#ffd54a' } }),
      /theme\.accent: #ffd54a has a contrast of 1\.\d:1/,
      /set theme\.accent: '#[0-9a-f]{6}'/,
    ],
    [
      'hashes of another kind than the login reads',
      () => ({ password: { ...site.config.password, hash: 'scrypt' } }),
      /password\.hash: scrypt is written, .* have bcrypt/,
      /set password\.hash: bcrypt/,
    ],
  ]

  it.each(planted)('%s is named with its remedy', async (_, plant, text, remedy) => {
    const found = await wrong(write(await plant()))
    const [finding] = found.filter((each) => text.test(each.text))
    expect(finding, JSON.stringify(found)).toBeDefined()
    // What a rule of the configuration says has its remedy in itself.
    expect(finding?.remedy ?? finding?.text).toMatch(remedy)
    expect(JSON.stringify(found)).not.toMatch(/wrong"|right"|x{32}/)
  })

  it('a template that is older than the built-in one is named with its remedy', async () => {
    const file = write()
    const own = ejectTemplate('forgot-sent.eta', join(file, '..', 'templates'))
    writeFileSync(own, readFileSync(own, 'utf8').replace(/ [0-9a-f]{12} /, ' 0123456789ab '))
    appendFileSync(own, '<p>Ours</p>\n')
    expect(await wrong(file)).toEqual([
      {
        check: 'templates',
        level: 'warning',
        text: `${own}: is stale: the built-in one has changed since it was copied`,
        remedy: expect.stringContaining('templates diff forgot-sent.eta'),
      },
    ])
  })

  it('a template without what a page needs is named in each language that it breaks', async () => {
    const file = write()
    const own = ejectTemplate('forgot-reset.eta', join(file, '..', 'templates'))
    writeFileSync(own, readFileSync(own, 'utf8').replace('name="csrf"', 'name="scrf"'))
    expect(await wrong(file)).toMatchObject([
      { check: 'templates', level: 'fault', text: `${own}: has no name="csrf"` },
    ])
  })

  it('a language that is not complete is named with what it lacks', async () => {
    const file = write()
    mkdirSync(join(file, '..', 'locales'))
    writeFileSync(join(file, '..', 'locales/cy.yaml'), 'form: { title: Ailosod eich cyfrinair }')
    expect(await wrong(file)).toMatchObject([
      {
        check: 'locales',
        level: 'warning',
        text: expect.stringMatching(/cy\.yaml.* \d+ of \d+ texts are missing/),
        remedy: expect.stringContaining('locales check'),
      },
    ])
  })

  it('a folder that cannot be written is named with its remedy', async () => {
    const file = write({ secret: null })
    // Not even root can make a folder there.
    symlinkSync('/proc', join(file, '..', 'data'))
    const found = await wrong(file)
    expect(found[0]).toMatchObject({
      check: 'files',
      level: 'fault',
      text: expect.stringMatching(/\/data: this user cannot write there \(E\w+\)/),
      remedy: expect.stringContaining('give it to the user'),
    })
  })

  it('secrets that others can read are named, in the key file and in the configuration', async () => {
    const file = write({ smtp: { port: site.smtp.port, user: 'me', pass: 'secret-word' } })
    chmodSync(file, 0o644)
    const found = await findings(examine(file))
    expect(found).toContainEqual({
      check: 'files',
      level: 'warning',
      text: `${file}: holds secrets, and every user of this machine can read it`,
      remedy: expect.stringContaining(`chmod 640 ${file}`),
    })
    const kept = write({ secret: null })
    mkdirSync(join(kept, '..', 'data'))
    const key = join(kept, '..', 'data/secret.key')
    writeFileSync(key, `${'a'.repeat(64)}\n`, { mode: 0o644 })
    expect(await findings(examine(kept))).toContainEqual({
      check: 'secret',
      level: 'fault',
      text: `${key}: other users can read it, and with it every link that is mailed`,
      remedy: `chmod 600 ${key}`,
    })
  })

  it('colours of a style sheet that are too close are named for light and dark', async () => {
    const file = write({ theme: { css: 'own.css' } })
    const css = `/* :root { --text: #fff } */
:root { --soft: #aaa; }
@media (prefers-color-scheme: dark) { :root { --text: #333333; } }`
    writeFileSync(join(file, '..', 'own.css'), css)
    expect((await wrong(file)).map(({ text }) => text)).toEqual([
      expect.stringContaining('--soft #aaaaaa on --card #ffffff has 2.3:1 in light'),
      expect.stringContaining('--soft #aaaaaa on --page #f4f5f7 has 2.1:1 in light'),
      expect.stringContaining('--text #333333 on --card #1b2028 has 1.3:1 in dark'),
      expect.stringContaining('--text #333333 on --page #12151b has 1.4:1 in dark'),
    ])
  })

  it('colours that are written in other ways are said not to be examined', async () => {
    const file = write({ theme: { css: 'own.css' } })
    const css = ':root { --card: rgb(10, 10, 10); --text: #cccccc !important; }'
    writeFileSync(join(file, '..', 'own.css'), css)
    expect((await wrong(file)).map(({ text }) => text)).toEqual([
      'theme.css: --card is not written as #rrggbb, so its contrast was not examined',
      expect.stringContaining('--text #cccccc on --page #f4f5f7'),
    ])
  })
})

describe('what this user may not look at', () => {
  it('is named, and the rest is looked at all the same', async () => {
    const file = write({ secret: null })
    const data = join(file, '..', 'data')
    mkdirSync(data)
    writeFileSync(join(data, 'secret.key'), 'short')
    symlinkSync('/nowhere', join(file, '..', 'layout.eta'))
    mkdirSync(join(file, '..', 'templates'))
    symlinkSync('/nowhere', join(file, '..', 'templates', 'layout.eta'))
    const found = await wrong(file)
    expect(found).toContainEqual({
      check: 'secret',
      level: 'fault',
      text: expect.stringContaining('secret.key does not hold 64 hex characters'),
      remedy: null,
    })
    expect(found).toContainEqual({
      check: 'templates',
      level: 'fault',
      text: expect.stringMatching(/layout\.eta: cannot be (?:read|used) \(ENOENT\)/),
      remedy: expect.any(String),
    })
  })
})

const others = () => ({
  ...{ url: urlOfUsers(), table: 'others', id: 'id', email: 'email', password: 'password' },
  ...{ name: null, locale: null, where: null, sessions: null },
})

describe('passwords', () => {
  it.each([
    ['my$ecretpa55', 'no kind that is known here'],
    ['a1b2c3$5f4dcc3b5aa765d61d8327deb882cf99', 'no kind that is known here'],
    ['pbkdf2_sha256$260000$salt$hash', "Django's PBKDF2"],
    [Buffer.from('x$y'), 'no kind that is known here'],
  ])('are told of by their kind alone: %s', async (hash, kind) => {
    site.database.exec('create table if not exists others (id, email, password)')
    site.database.exec('delete from others')
    site.database.prepare('insert into others values (1, ?, ?)').run('a@b.example', hash)
    const found = await wrong(write({ users: others() }))
    expect(found).toMatchObject([
      { check: 'passwords', level: 'warning', text: expect.stringContaining(`have ${kind}`) },
    ])
    expect(JSON.stringify(found)).not.toMatch(/ecretpa55|5f4dcc3b|260000|salt/)
  })

  it('of one account that cannot sign in do not count', async () => {
    site.database.exec('delete from others')
    const insert = site.database.prepare('insert into others values (?, ?, ?)')
    insert.run(1, 'a@b.example', '!abcdef')
    insert.run(2, 'b@b.example', '$2y$10$abc')
    expect(await wrong(write({ users: others() }))).toEqual([])
  })
})

describe('a store of a later version', () => {
  it('is named, as a start would', async () => {
    const store = `sqlite:${join(site.folder, 'later.db')}`
    const file = write({ store: { url: store } })
    const cli = new Cli(['migrate', '--config', file])
    expect(await cli.ended()).toBe(0)
    const database = new Database(store.slice('sqlite:'.length))
    database.exec("insert into migration values ('0099-future', '2026')")
    database.close()
    expect(await wrong(file)).toMatchObject([
      {
        check: 'store',
        level: 'fault',
        text: expect.stringMatching(
          /step 0099-future is not known.*use the version of this module/,
        ),
      },
    ])
  })
})

describe('a proxy that is not declared', () => {
  afterEach(() => site.server?.close())

  it('is seen from the header that it adds, and named with its address', async () => {
    const { createServer, request } = await import('node:http')
    const port = await freePort()
    const proxy = createServer((incoming, outgoing) => {
      const forwarded = `${incoming.headers['x-forwarded-for'] ?? ''}, 198.51.100.1`
      const headers = { ...incoming.headers, 'x-forwarded-for': forwarded }
      const options = { port: site.config.server?.port, path: incoming.url, headers }
      request(options, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(outgoing)
      }).end()
    })
    await new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${port}`
    try {
      expect(await wrong(write({ site: { url } }))).toEqual([
        {
          check: 'proxy',
          level: 'fault',
          text: 'server.trustProxy: a proxy at 127.0.0.1 stands in front, and all visitors count as that one client',
          remedy: expect.stringContaining('set server.trustProxy: 127.0.0.1;'),
        },
      ])
    } finally {
      proxy.closeAllConnections()
      await new Promise((resolve) => proxy.close(resolve))
    }
  })

  it('is not asked for where no server runs', async () => {
    await site.server?.close()
    const file = write()
    expect(await wrong(file)).toMatchObject([
      { check: 'site', level: 'warning', remedy: expect.stringContaining('forgot-password serve') },
    ])
    const isMade = statSync(join(file, '..', 'data'), { throwIfNoEntry: false })
    expect(isMade).toBeUndefined()
  })
})

describe('check', () => {
  it('looks at files alone', async () => {
    const found = await findings(check(write({ smtp: { port: 1 } })))
    expect(found.map((each) => [each.check, each.level])).toEqual([
      ['configuration', 'good'],
      ['templates', 'good'],
      ['locales', 'good'],
      ['colours', 'good'],
    ])
  })
})

describe('the commands', () => {
  it('end with 0, 1 or 2, print signs and remedies, and data for programs', async () => {
    const good = write()
    const faint = write({ theme: { accent: '#ffd54a' } })
    const bad = write({ site: { url: 'http://library.example' } })
    const runs = [
      new Cli(['check', '--config', good]),
      new Cli(['check', '--config', faint]),
      new Cli(['check', '--strict', '--config', faint]),
      new Cli(['doctor', '--json', '--config', bad]),
    ]
    const codes = await Promise.all(runs.map((run) => run.ended()))
    expect(codes).toEqual([0, 0, 1, 2])
    const [first, second, , last] = runs.map((run) => run.output)
    expect(first).toMatch(
      /^✓ .*config\.yaml: every key is as it should be\n[^✗!]*All is well\.\n$/s,
    )
    expect(second).toMatch(/! theme\.accent: .*\n {4}→ set theme\.accent/)
    expect(JSON.parse(last ?? '')).toMatchObject([{ check: 'configuration', level: 'fault' }])
  })
})

function urlOfUsers(): string {
  return `sqlite:${join(site.folder, 'site.db')}`
}
