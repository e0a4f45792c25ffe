import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import { documentConfig } from '../../src/config/document.ts'
import { configSchema } from '../../src/config/keys.ts'
import { loadConfig, traceConfig } from '../../src/config/load.ts'
import { ForgotError } from '../../src/errors.ts'
import { nearest } from '../../src/nearest.ts'
import { secret } from '../support/site.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-config-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

/** The problems of a configuration, without the folder's name. */
function problemsOf(from: string | ConfigInput, env: Record<string, string> = {}): string[] {
  try {
    loadConfig(from, { env })
    return []
  } catch (error) {
    expect(error).toBeInstanceOf(ForgotError)
    expect((error as ForgotError).code).toBe('ERR_FORGOT_CONFIG')
    return (error as ForgotError).problems.map((line) => line.replaceAll(`${folder}/`, ''))
  }
}

describe('a configuration', () => {
  it('is complete, frozen and in milliseconds', () => {
    const config = loadConfig({ limits: { perAccount: ['1/60s', '5/1h'] } }, { env: {} })
    expect(config.recovery.linkLifetime).toBe(3_600_000)
    expect(config.mail.retries).toEqual([5000, 30_000, 120_000, 300_000])
    expect(config.limits.perAccount).toEqual([
      { count: 1, windowMs: 60_000 },
      { count: 5, windowMs: 3_600_000 },
    ])
    expect(Object.isFrozen(config.limits.perAccount[0])).toBe(true)
    expect(config.route).toBe('/user/forgot-password')
    expect(config.site.url).toBe('http://127.0.0.1:3000')
  })

  it('takes the paths in a file as relative to it', () => {
    const config = loadConfig(write('c.yaml', 'store: { url: sqlite:x/y.db }'), { env: {} })
    expect(config.store.url).toBe(`sqlite:${folder}/x/y.db`)
    expect(config.dataDir).toBe(join(folder, 'data'))
  })

  it('uses the folders beside a file where there are any', () => {
    const file = write('c.yaml', '')
    expect(loadConfig(file, { env: {} })).toMatchObject({ templates: null, locales: { dir: null } })
    mkdirSync(join(folder, 'templates'))
    mkdirSync(join(folder, 'locales'))
    expect(loadConfig(file, { env: {} }).templates).toBe(join(folder, 'templates'))
    expect(loadConfig(file, { env: {} }).locales.dir).toBe(join(folder, 'locales'))
  })

  it('sends mail from the site’s own host unless told otherwise', () => {
    const from = (site: ConfigInput['site'], smtp: ConfigInput['smtp'] = {}) =>
      loadConfig({ site: site ?? {}, smtp: { host: 'smtp.r.example', ...smtp } }, { env: {} }).smtp
        .from
    expect(from({ name: 'R', url: 'https://r.example' })).toEqual({
      name: 'R',
      email: 'no-reply@r.example',
    })
    expect(from({ url: 'http://127.0.0.1:3000' }).email).toBe('no-reply@site.example')
    expect(from({ url: 'https://r.example' }, { from: { email: 'a@b.example' } }).email).toBe(
      'a@b.example',
    )
  })

  it('merges imported files first, key by key', () => {
    write('base.yaml', 'site: { name: Base, loginUrl: /in }\nlocales: { offer: [en, fr] }')
    const file = write(
      'c.yaml',
      'imports: [base.yaml]\nsite: { name: Own }\nlocales: { offer: [en] }',
    )
    expect(loadConfig(file, { env: {} }).site).toMatchObject({ name: 'Own', loginUrl: '/in' })
    expect(loadConfig(file, { env: {} }).locales.offer).toEqual(['en'])
  })

  it('names the imported file that is wrong, and one that imports itself', () => {
    write('base.yaml', 'server:\n  port: x')
    expect(problemsOf(write('c.yaml', 'imports: [base.yaml]'))).toEqual([
      'base.yaml:2:9 server.port: must be a port, 1 to 65535',
    ])
    expect(problemsOf(write('d.yaml', 'imports: [d.yaml]'))).toEqual([
      'd.yaml imports: d.yaml imports itself',
    ])
  })
})

describe('the environment', () => {
  it('fills in variables, defaults and nothing that only looks like them', () => {
    const file = write(
      'c.yaml',
      'site: { name: "${NAME} ${PLACE:-Riverside} $${X} $5" }\nserver: { port: "${PORT}", trustProxy: "${PROXY}" }',
    )
    const config = loadConfig(file, { env: { NAME: 'The', PORT: '8080', PROXY: 'true' } })
    expect(config.site.name).toBe('The Riverside ${X} $5')
    expect(config.server).toMatchObject({ port: 8080, trustProxy: true })
  })

  it('asks for a variable that is missing, with the owner’s own words', () => {
    const file = write(
      'c.yaml',
      'smtp:\n  user: me\n  pass: ${SMTP_PASS:?see the wiki}\n  host: ${HOST}',
    )
    expect(problemsOf(file)).toEqual([
      'c.yaml:3:9 smtp.pass: the environment variable SMTP_PASS is not set: see the wiki',
      'c.yaml:4:9 smtp.host: the environment variable HOST is not set',
    ])
  })

  it('overrides any key, in whatever type the key has', () => {
    const config = loadConfig(write('c.yaml', 'smtp: { host: a, user: a }'), {
      env: {
        FORGOT_SMTP__USER: 'b',
        FORGOT_SMTP__PASS: '12345',
        FORGOT_SMTP__PORT: '25',
        FORGOT_SITE__LOGIN_URL: '/in',
        FORGOT_LOCALES__OFFER: '[en, fr]',
        FORGOT_PASSWORD__CONFIRM: 'true',
        FORGOT_SMTP__REPLYTO: '',
      },
    })
    const relays = [{ host: 'a', user: 'b', pass: '12345', port: 25 }]
    expect(config.smtp).toMatchObject({ relays, replyTo: null })
    expect(config.site.loginUrl).toBe('/in')
    expect(config.locales.offer).toEqual(['en', 'fr'])
    expect(config.password.confirm).toBe(true)
  })

  it('reads a secret from a file and refuses two sources of one key', () => {
    const file = write('secret', `${secret}\n`)
    expect(loadConfig({}, { env: { FORGOT_SECRET_FILE: file } }).secrets).toEqual([secret])
    expect(problemsOf({}, { FORGOT_SECRET_FILE: file, FORGOT_SECRET: secret })[0]).toContain(
      'sets the same key',
    )
    expect(problemsOf({}, { FORGOT_SECRET_FILE: join(folder, 'none') })).toEqual([
      'FORGOT_SECRET_FILE: the file it names cannot be read (ENOENT)',
    ])
  })

  it('refuses a variable that sets no key', () => {
    expect(problemsOf({}, { FORGOT_SMPT__HOST: 'x' })).toEqual([
      'FORGOT_SMPT__HOST: there is no such key in the configuration',
    ])
  })
})

describe('a configuration that cannot be used', () => {
  it('is refused with every problem at once, in the order of its lines', () => {
    const file = write(
      'c.yaml',
      `site:
  nam: Riverside
  url: https://site.example/path
server: { port: 70000, trustProxy: 1 }
recovery: { linkLifetime: 90 minutes }
routes: { user/forgot: forgot }
limits: { perAccount: [5], perClient: 0/1h }
smtp: { pass: x, from: { email: nobody } }
users: { table: members }
secret: short
locales: { offer: [en, '!'] }
theme: { accent: blue, logo: none.svg }
`,
    )
    expect(problemsOf(file)).toEqual([
      'c.yaml:2:3 site.nam: unknown key (did you mean "name"?)',
      'c.yaml:3:8 site.url: must be an origin such as https://example.com: no path, query or user',
      'c.yaml:4:17 server.port: must be a port, 1 to 65535',
      'c.yaml:4:36 server.trustProxy: must be true, false or the addresses of your proxies, such as 127.0.0.1 or 10.0.0.0/8: how many there are can be spoofed',
      'c.yaml:5:27 recovery.linkLifetime: must be a duration from 1s to 24h, such as 90s, 10m or 1h',
      'c.yaml:6:11 routes["user/forgot"]: must be a path such as /user/forgot-password, or a method and a path such as POST /api/send-otp',
      'c.yaml:7:23 limits.perAccount: must be count/duration, a list of them such as [1/60s, 5/1h], 24d at most, or off',
      'c.yaml:7:39 limits.perClient: must be count/duration, such as 5/1h and 24d at most, or off',
      'c.yaml:8:7 smtp.user: is required with smtp.pass',
      'c.yaml:8:33 smtp.from.email: must be an e-mail address',
      'c.yaml:9:8 users.url: is required',
      'c.yaml:10:9 secret: must be 32 random bytes or more: make one with "openssl rand -hex 32"',
      'c.yaml:11:24 locales.offer[1]: must be a language such as fr or pt-BR',
      'c.yaml:12:18 theme.accent: must be a colour such as #1d4ed8',
      'c.yaml:12:30 theme.logo: there is no file none.svg',
    ])
  })

  it.each([
    ['a tag', 'a: !!js/function x', 'c.yaml:1:4 Unresolved tag: tag:yaml.org,2002:js/function'],
    [
      'a key twice',
      'site:\n  name: a\n  name: b',
      'c.yaml:3:3 this key stands here for the second time',
    ],
    ['a list', '- a', 'c.yaml:1:1 must be keys and values'],
  ])('is refused for %s', (_, text, problem) => {
    expect(problemsOf(write('c.yaml', text))).toEqual([problem])
  })

  it('is refused when it is not there', () => {
    expect(problemsOf(join(folder, 'none.yaml'))).toEqual(['none.yaml: there is no file none.yaml'])
  })

  it('never repeats a value, which may be a secret', () => {
    const value = 'hunter2-hunter2'
    const file = write(
      'c.yaml',
      `secret: ${value}\nsmtp:\n  pass: [${value}]\n  ${value}: x\nserver: { port: ${value} }\nstore: { url: ${value} }`,
    )
    const text = problemsOf(file, { FORGOT_SMTP__POOL: value }).join('\n')
    expect(text.replaceAll(`smtp["${value}"]`, '')).not.toContain(value)
    expect(problemsOf(write('d.yaml', `secret: "${value}\nx: 1`)).join('\n')).not.toContain(value)
  })

  it('leaves prototypes alone', () => {
    expect(problemsOf(write('c.yaml', '__proto__: { polluted: 1 }'))).toEqual([
      'c.yaml:1:1 __proto__: unknown key',
    ])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it('is one of the demo, or over http, where others than the owner may come', () => {
    const production = { NODE_ENV: 'production' }
    expect(problemsOf(write('c.yaml', 'site: { url: http://site.example }'), production)).toEqual([
      'c.yaml:1:1 smtp.host: is required unless site.url is this machine: the built-in mailbox shows every link',
      'c.yaml:1:1 users: is required in production: the demo accounts are for trying only',
      'c.yaml:1:14 site.url: must be https, except on this machine: a link over http can be read on its way',
    ])
    expect(
      problemsOf(
        { site: { url: 'http://localhost:3000' }, smtp: { host: 'm' }, users: { url: 'sqlite:x' } },
        production,
      ),
    ).toEqual([])
  })

  it('is one whose mail server is given half of a sign-in', () => {
    expect(problemsOf({ smtp: { user: 'me' } })).toEqual([
      'configuration smtp.pass: is required with smtp.user',
    ])
  })

  it('is none when the accounts are given in code', () => {
    const values = { site: { url: 'https://site.example' }, smtp: { host: 'm' } }
    const env = { NODE_ENV: 'production' }
    expect(() => loadConfig(values, { env })).toThrow(/users: is required/)
    expect(loadConfig(values, { env, hasUsers: true }).site.url).toBe('https://site.example')
    expect(() => loadConfig({}, { env: {}, hasUsers: true })).toThrow(/site\.url: is required/)
  })

  it('is one that mails links without saying where the site is', () => {
    expect(problemsOf({ users: { url: 'sqlite:x.db' } })).toEqual([
      'configuration site.url: is required: it is the base of every mailed link',
    ])
  })

  it('is one whose variable stands bare within braces, and is told the remedy', () => {
    const [problem] = problemsOf(write('c.yaml', 'smtp: { pass: ${PASS}, port: 25 }'))
    expect(problem).toMatch(/^c\.yaml:1:16 .*put it in quotes, as in "\$\{VAR\}"$/)
  })

  it.each([
    '/reset',
    'http://site.example/reset?t={token}',
    'javascript:alert({token})',
    '//evil.example/{token}',
    '/reset?t={token}&u={email}',
  ])('is one whose recovery.linkUrl is %s', (linkUrl) => {
    expect(problemsOf({ recovery: { linkUrl } })).toHaveLength(1)
  })

  it('names what is wrong within a route', () => {
    const routes = `routes:
  POST /a: { action: forgot, step: ask, fields: { code: otp, pin: x }, response: { ref: refernce } }
  DELETE /b: forgot
  /c: { action: well-known }
  /d: 5
`
    expect(problemsOf(write('c.yaml', routes))).toEqual([
      'c.yaml:2:36 routes["POST /a"].step: must be request, verify, open or change',
      'c.yaml:2:62 routes["POST /a"].fields.pin: unknown key',
      expect.stringContaining('routes["POST /a"].response.ref: must name one of success, step, '),
      expect.stringContaining('routes["DELETE /b"]: must be a path such as'),
      'c.yaml:4:17 routes["/c"].action: must be forgot',
      'c.yaml:5:7 routes["/d"]: must be forgot, well-known, or keys and values',
    ])
  })

  it('names routes that nothing could answer', () => {
    const text = `routes:
  /user/forgot-password: forgot
  POST /user/forgot-password: { action: forgot, step: request }
  POST /a/:token: { action: forgot, step: change }
  POST /a/:t: { action: forgot, step: change }
  GET /b: { action: forgot, step: change }
  PUT /c: { action: forgot, step: open }
  GET /d: forgot
  /e: { action: forgot, fields: { email: mail } }
  /health: { action: forgot, step: request }
`
    expect(problemsOf(write('c.yaml', text)).map((line) => line.replace(/^\S+ /, ''))).toEqual([
      'routes["POST /user/forgot-password"]: answers what /user/forgot-password answers already',
      'routes["POST /a/:t"]: answers what POST /a/:token answers already',
      'routes["GET /b"]: must have the method POST, PUT, PATCH: change is not done with another',
      'routes["PUT /c"]: must have the method GET: open is not done with another',
      'routes["GET /d"]: must have no method: the pages need GET and POST',
      'routes["/e"]: must have a step, or format: json, since the pages have names of their own',
      'routes["/health"]: is a path of the server itself',
    ])
  })

  it('is one that keeps the form behind a sign-in', () => {
    const routes = { '/forgot': 'forgot' } as const
    expect(problemsOf({ routes })).toEqual([
      'configuration access.free: must hold /forgot: nobody who forgot a password can sign in first',
    ])
  })
})

describe('routes', () => {
  const routesOf = (routes: ConfigInput['routes']) =>
    loadConfig(routes === undefined ? {} : { routes }, { env: {} }).routes.map(
      ({ path, methods, action, step }) => [path, methods, action, step],
    )

  it('keep the pages where they are, beside those of a front end', () => {
    const change = { action: 'forgot', step: 'change' } as const
    expect(
      routesOf({ 'PUT /api/reset/:token': change, '/api/open': { ...change, step: 'open' } }),
    ).toEqual([
      ['/user/forgot-password', null, 'forgot', null],
      ['/api/reset/:token', ['PUT'], 'forgot', 'change'],
      ['/api/open', ['GET'], 'forgot', 'open'],
    ])
  })

  it('are read as an @itrocks module spells them', () => {
    const file = write('c.yaml', "routes:\n  /user/forgot-password': '@itrocks/forgot-password'\n")
    expect(loadConfig(file, { env: {} }).route).toBe('/user/forgot-password')
  })
})

describe('what a preview is loaded with', () => {
  const unfinished = `
imports: [base.yaml]
secret: '\${NOT_SET}'
users: ./nowhere.mjs
store: { url: '\${NOT_SET}' }
hooks: { url: https://site.example/hook }
smtp: { host: mail.site.example, user: a, pass: '\${NOT_SET}' }
theme: { css: theme.css }
`
  afterEach(() => vi.unstubAllEnvs())

  it('needs nothing that pages and mails do without, and cannot send where it could not', () => {
    write('base.yaml', 'site: { url: https://site.example }')
    write('theme.css', '')
    const file = write('c.yaml', unfinished)
    expect(problemsOf(file).map((line) => line.replace(/:.*/, ''))).toEqual(
      Array.from({ length: 5 }, () => 'c.yaml'),
    )
    const config = loadConfig(file, { env: { NODE_ENV: 'production' }, isPreview: true })
    expect(config).toMatchObject({ hasMailbox: true, site: { url: 'https://site.example' } })
    const env = { NOT_SET: 'x'.repeat(32) }
    expect(loadConfig(file, { env, isPreview: true }).hasMailbox).toBe(false)
  })

  it('is told what is wrong with what they are made of all the same', () => {
    const load = () => loadConfig(write('c.yaml', 'theme: { css: none.css }'), { isPreview: true })
    expect(load).toThrow(/theme\.css: there is no file/)
  })

  it('takes variables from the file .env as every command does, but for NODE_ENV', () => {
    write('.env', 'NODE_ENV=production\nSITE_NAME=Harbour\n')
    const file = write('c.yaml', "site: { name: '${SITE_NAME}' }")
    vi.stubEnv('NODE_ENV', 'production')
    expect(loadConfig(file, { isPreview: true }).site.name).toBe('Harbour')
  })

  it('comes with the files it was read from and names, usable or not', () => {
    const files = (names: readonly string[]) => names.map((name) => join(folder, name))
    write('base.yaml', 'imports: [deep.yaml, none.yaml]')
    write('deep.yaml', 'theme: { css: none.css }')
    const file = write('c.yaml', 'imports: [base.yaml]')
    const onFiles = vi.fn()
    expect(() => loadConfig(file, { onFiles })).toThrow(ForgotError)
    expect(onFiles.mock.calls[0]?.[0].toSorted()).toEqual(
      files([
        ...['.env', 'base.yaml', 'c.yaml', 'deep.yaml'],
        ...['locales', 'none.css', 'none.yaml', 'templates'],
      ]),
    )
    write('base.yaml', 'imports: [deep.yaml]')
    write('none.css', '')
    expect([...traceConfig(file).files].toSorted()).toEqual(
      files(['.env', 'base.yaml', 'c.yaml', 'deep.yaml']),
    )
  })
})

describe('config.yaml', () => {
  it('is what the schema says', () => {
    expect(readFileSync('config.yaml', 'utf8')).toBe(documentConfig('./dist/config.schema.json'))
  })

  it('changes nothing', () => {
    const {
      templates: _,
      locales: __,
      dataDir: ___,
      store: ____,
      ...config
    } = loadConfig('config.yaml', { env: {} })
    expect(config).toEqual(
      expect.objectContaining({
        smtp: loadConfig({}, { env: {} }).smtp,
        site: loadConfig({}, { env: {} }).site,
      }),
    )
  })

  it('tells the meaning of every key', () => {
    const silent: string[] = []
    const walk = (node: Record<string, unknown>, path: string) => {
      const properties = (node['properties'] ?? {}) as Record<string, Record<string, unknown>>
      for (const [key, inner] of Object.entries(properties)) {
        if (inner['description'] === undefined && inner['properties'] === undefined)
          silent.push(`${path}${key}`)
        walk(inner, `${path}${key}.`)
      }
    }
    walk(configSchema() as Record<string, unknown>, '')
    expect(silent).toEqual([])
  })
})

it('guesses what was meant, and not wildly', () => {
  expect(nearest('prot', ['port', 'host'])).toBe('port')
  expect(nearest('HOST', ['port', 'host'])).toBe('host')
  expect(nearest('banana', ['port', 'host'])).toBeNull()
})
