import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { documentConfig } from '../../src/config/document.ts'
import { loadConfig, traceConfig } from '../../src/config/load.ts'
import { resolvedKeys } from '../../src/config/resolved.ts'
import { Cli } from '../support/process.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-init-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const read = (file: string) => readFileSync(join(folder, file), 'utf8')

/** What a file sets, with the comments and the sections that hold nothing else left out. */
function setIn(yaml: string): unknown {
  const strip = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const inner = Object.entries(value).map(([key, each]) => [key, strip(each)] as const)
    return Object.fromEntries(inner.filter(([, each]) => each !== null))
  }
  return strip(parse(yaml))
}

describe('init', () => {
  it('asks, asks again for what cannot be, and writes what loads', async () => {
    const cli = new Cli(['init'], { cwd: folder })
    const answers = [
      ...['My Library', 'ftp://x', 'http://localhost:3777', ''],
      ...['sqlite:users.db', '', '', 'mail', ''],
      ...['mail.library.example', '465', 'me', `p w%"x`, 'lib@library.example', 'fr'],
    ]
    cli.type(answers.map((answer) => `${answer}\n`).join(''))
    expect(await cli.ended()).toBe(0)
    expect(cli.output).toContain('site.url must be an origin')
    expect(cli.output).toContain('config.yaml, .env, .env.example, .gitignore written.')
    expect(setIn(read('config.yaml'))).toEqual({
      site: { name: 'My Library', url: 'http://localhost:3777' },
      server: { port: 3777 },
      smtp: {
        host: 'mail.library.example',
        port: 465,
        secure: true,
        user: 'me',
        from: { email: 'lib@library.example' },
      },
      users: { url: 'sqlite:users.db', email: 'mail' },
      locales: { default: 'fr' },
    })
    const { config } = traceConfig(join(folder, 'config.yaml'))
    expect(config.smtp.relays).toMatchObject([{ host: 'mail.library.example', pass: 'p w%"x' }])
    expect(config.secrets[0]).toMatch(/^[0-9a-f]{64}$/)
    expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600)
    expect(read('.env.example')).not.toContain('p w')
    expect(read('.env.example')).toMatch(/^FORGOT_SECRET=$/m)
    expect(read('.gitignore')).toBe('.env\ndata/\n')
  })

  it('takes its answers from the command line, and overwrites nothing', async () => {
    const set = ['site.name=Riverside', 'users.url=postgres://me:secret@db/site', 'users.id=uid']
    const args = ['init', '--yes', ...set.flatMap((each) => ['--set', each])]
    writeFileSync(join(folder, '.gitignore'), 'mine\n')
    expect(await new Cli(args, { cwd: folder }).ended()).toBe(0)
    expect(read('config.yaml')).not.toContain('me:secret')
    expect(read('.env')).toContain('FORGOT_USERS__URL=postgres://me:secret@db/site\n')
    expect(read('.gitignore')).toBe('mine\n')
    const { config } = traceConfig(join(folder, 'config.yaml'))
    expect(config.users).toMatchObject({ url: 'postgres://me:secret@db/site', id: 'uid' })
    const again = new Cli(args, { cwd: folder })
    expect(await again.ended()).toBe(2)
    expect(again.errors).toContain('config.yaml is there already')
  })

  it('keeps every secret out of config.yaml, and a password as it is typed', async () => {
    const set = [
      `secret=${'ab'.repeat(32)}`,
      'smtp.host=mail.library.example',
      'smtp.user=me',
      'smtp.pass=12345',
      'users.url=postgres://db/site?user=u&password=hunter2',
      'hooks.url=https://library.example/hook',
      `hooks.secret=${'h'.repeat(32)}`,
    ]
    writeFileSync(join(folder, '.env.example'), 'mine\n')
    writeFileSync(join(folder, '.gitignore'), 'node_modules\n')
    const cli = new Cli(['init', '--yes', ...set.flatMap((each) => ['--set', each])], {
      cwd: folder,
    })
    expect(await cli.ended()).toBe(0)
    expect(cli.output).toContain('Add .env and data/ to .gitignore')
    expect(read('config.yaml')).not.toMatch(/abab|12345|hunter2|hhh/)
    expect(read('.env.example')).toBe('mine\n')
    const { config } = traceConfig(join(folder, 'config.yaml'))
    expect(config.smtp.relays).toMatchObject([{ pass: '12345' }])
    expect(config.secrets).toEqual(['ab'.repeat(32)])
    expect(config.hooks.secret).toBe('h'.repeat(32))
  })

  it('writes nothing when the answers end, or cannot be written down', async () => {
    const ended = new Cli(['init'], { cwd: folder })
    ended.type('My Library\n')
    expect(await ended.ended()).toBe(2)
    expect(ended.errors).toContain('with --yes nothing is asked')
    const odd = new Cli(['init', '--yes', '--set', `smtp.pass=a'b"c\`d`], { cwd: folder })
    expect(await odd.ended()).toBe(2)
    expect(existsSync(join(folder, 'config.yaml'))).toBe(false)
  })

  it.each([
    [['--set', 'site.nme=hunter2'], 'must be a key of the configuration'],
    [['--set', 'smtp.port=abc'], '--set smtp.port: must be a port'],
  ])('refuses %j', async (args, message) => {
    const cli = new Cli(['init', '--yes', ...args], { cwd: folder })
    expect(await cli.ended()).toBe(2)
    expect(cli.errors).toContain(message)
    expect(cli.errors).not.toContain('hunter2')
    expect(existsSync(join(folder, 'config.yaml'))).toBe(false)
  })
})

describe('a configuration with every key in comments', () => {
  it('sets nothing, and each line of it can be set alone', () => {
    const file = join(folder, 'config.yaml')
    const text = documentConfig('./s.json', {})
    writeFileSync(file, text)
    expect(loadConfig(file, { env: {} })).toEqual({
      ...loadConfig({}, { env: {} }),
      dataDir: join(folder, 'data'),
      store: { url: `sqlite:${join(folder, 'data/forgot-password.db')}`, tablePrefix: '' },
    })
    const lines = text.split('\n')
    const single = lines.flatMap((line, at) => (/^ *#[a-z]\w*: \S/i.test(line) ? [at] : []))
    expect(single.length).toBeGreaterThan(50)
    for (const at of single) {
      const set = lines.map((line, index) => (index === at ? line.replace('#', '') : line))
      expect(() => parse(set.join('\n')), lines[at]).not.toThrow()
    }
  })

  it('is read with the variables of an .env beside it, which those that are set go before', () => {
    const file = join(folder, 'config.yaml')
    writeFileSync(file, 'site: { name: "${SITE_NAME}" }\n')
    writeFileSync(join(folder, '.env'), 'SITE_NAME="The Library"\nFORGOT_SERVER__PORT=4000\n')
    expect(loadConfig(file)).toMatchObject({
      site: { name: 'The Library' },
      server: { port: 4000 },
    })
    process.env['FORGOT_SERVER__PORT'] = '5000'
    try {
      expect(loadConfig(file).server.port).toBe(5000)
    } finally {
      delete process.env['FORGOT_SERVER__PORT']
    }
  })
})

describe('config print', () => {
  it('names the place of each value, and no secret', async () => {
    writeFileSync(
      join(folder, 'config.yaml'),
      `site: { name: Library, url: "http://localhost:3000" }
secret: [${'x'.repeat(32)}, ${'y'.repeat(32)}]
store: { url: "postgres://me:hunter2@db/recovery" }
users: { url: "postgres://db/site?user=u&password=hunter2", where: "a = 1\\nand b = 2" }
`,
    )
    const env = { FORGOT_SERVER__PORT: '4000' }
    const text = new Cli(['config', 'print'], { cwd: folder, env })
    const json = new Cli(['config', 'print', '--resolved', '--json'], { cwd: folder, env })
    expect(await text.ended()).toBe(0)
    expect(text.output).toBe(`site:
  name: Library  # config.yaml:1:15
  url: http://localhost:3000  # config.yaml:1:29
server:
  port: 4000  # FORGOT_SERVER__PORT
secret: [ "***", "***" ]  # config.yaml:2:9
store:
  url: postgres://me:***@db/recovery  # config.yaml:3:15
users:
  url: postgres://db/site?user=u&password=***  # config.yaml:4:15
  where: "a = 1\\nand b = 2"  # config.yaml:4:68
`)
    expect(await json.ended()).toBe(0)
    const keys = JSON.parse(json.output) as { key: string; value: unknown; from: string }[]
    expect(keys).toContainEqual({ key: 'recovery.linkLifetime', value: '60m', from: 'default' })
    expect(keys).toContainEqual({ key: 'smtp.dkim', value: null, from: 'default' })
    expect(text.output + json.output).not.toMatch(/hunter2|xxx|yyy/)
  })

  it('prints what loads to the same configuration', () => {
    const file = join(folder, 'config.yaml')
    writeFileSync(file, 'site: { name: Library }\nlimits: { perAccount: [3/1h] }\n')
    const keys = resolvedKeys(traceConfig(file, { env: {} }), true)
    const values = {}
    for (const { path, value } of keys) {
      let target: Record<string, unknown> = values
      for (const name of path.slice(0, -1)) {
        const inner = (target[name] ?? {}) as Record<string, unknown>
        target[name] = inner
        target = inner
      }
      target[path.at(-1) ?? ''] = value
    }
    const other = join(folder, 'other.yaml')
    writeFileSync(other, JSON.stringify(values))
    expect(loadConfig(other, { env: {} })).toEqual(loadConfig(file, { env: {} }))
  })
})

describe('completion', () => {
  it.each(['bash', 'zsh', 'fish'])('is a script that %s can read', async (shell) => {
    const cli = new Cli(['completion', shell])
    expect(await cli.ended()).toBe(0)
    expect(cli.output).toContain('doctor')
    if (shell !== 'bash') return
    const complete = `${cli.output}\nCOMP_WORDS=(forgot-password link ""); COMP_CWORD=2; _forgot_password; echo "\${COMPREPLY[*]}"`
    const words = execFileSync('bash', ['-c', complete], { encoding: 'utf8' })
    expect(words).toBe('issue revoke --help --config --json\n')
  })
})
