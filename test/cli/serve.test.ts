import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import type { UserTableInput } from '../../src/config/config.ts'
import { Cli } from '../support/process.ts'
import { accounts, newPassword, oldPassword, route, Site } from '../support/site.ts'
import { linkIn } from '../support/smtp.ts'
import { Visitor } from '../support/visitor.ts'
import { eventually, freePort } from '../support/wait.ts'

const { alice } = accounts

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

let folder = ''
const running: Cli[] = []
const run = (args: string[], env: Record<string, string> = {}): Cli => {
  const cli = new Cli(args, { cwd: folder, env })
  running.push(cli)
  return cli
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-cli-'))
})
afterEach(async () => {
  for (const cli of running.splice(0)) {
    cli.kill('SIGKILL')
    await cli.ended()
  }
  rmSync(folder, { recursive: true, force: true })
})

describe('serve, beside a site of its own', () => {
  let site: Site
  let file = ''

  beforeEach(async () => {
    site = await Site.start({ password: { cost: 6 }, mail: { retries: ['200ms', '500ms', '1s'] } })
    await site.server?.close()
    file = join(site.folder, 'config.yaml')
    writeFileSync(file, stringify(site.config))
  })
  afterEach(() => site.stop())

  const serve = async (): Promise<Cli> => {
    const cli = run(['serve', '--config', file])
    await cli.listening()
    return cli
  }

  it('recovers an account of its table, and writes the hash that its login reads', async () => {
    const cli = await serve()
    site.clock.now()
    await site.reset(await site.mailedLink(alice.email))
    expect(site.hashOf(alice.email)).toMatch(/^\$2b\$06\$/)
    expect(site.hasPassword(alice.email, newPassword)).toBe(true)
    expect(site.hasPassword(alice.email, oldPassword)).toBe(false)
    cli.kill('SIGTERM')
    expect(await cli.ended()).toBe(0)
    site.logLines.push(cli.output)
    expect(existsSync(join(site.folder, 'data'))).toBe(false)
  })

  it('mails after kill -9 what it had answered before', async () => {
    await site.smtp.stop()
    const cli = await serve()
    expect((await site.visitor().post(route, { email: alice.email })).status).toBe(303)
    cli.kill('SIGKILL')
    expect(await cli.ended()).toBeNull()
    await site.smtp.listen()
    await serve()
    const [mail] = await eventually(
      () => (site.smtp.mails.length > 0 ? site.smtp.mails : null),
      25_000,
    )
    expect((await site.reset(linkIn(mail))).status).toBe(303)
    expect(site.smtp.mails.filter((each) => each.mail.subject?.includes('Reset'))).toHaveLength(1)
  })

  it('shares its database with a second process, and mails once', async () => {
    const port = await freePort()
    await serve()
    const second = run(['serve', '--config', file], { FORGOT_SERVER__PORT: String(port) })
    await second.listening()
    const visitors = [site.visitor(), new Visitor(`http://127.0.0.1:${port}`)]
    const asked = await Promise.all(
      visitors.map((visitor) => visitor.post(route, { email: alice.email })),
    )
    expect(asked.map((page) => page.status)).toEqual([303, 303])
    const mails = await site.smtp.to(alice.email, 2)
    expect(linkIn(mails[0])).toBe(linkIn(mails[1]))
    const links = visitors.map(async (visitor) =>
      visitor.follow(await visitor.get(`${route}?${linkIn(mails[0]).split('?')[1]}`)),
    )
    const forms = await Promise.all(links)
    const answers = await Promise.all(
      visitors.map((visitor, index) =>
        visitor.post(route, {
          password: `${newPassword} ${index}`,
          csrf: forms[index]?.field('csrf') ?? '',
        }),
      ),
    )
    expect(answers.map((answer) => answer.status === 303).sort()).toEqual([false, true])
  })
})

describe('serve, with nothing configured', () => {
  it('is the demo, and says where to go, who to be and where mails are', async () => {
    const port = await freePort()
    const cli = run(['serve'], { FORGOT_SERVER__PORT: String(port) })
    await cli.listening()
    expect(cli.output).toContain(`Open       http://127.0.0.1:${port}/`)
    expect(cli.output).toContain('alice@demo.example')
    expect(cli.output).toContain(`http://127.0.0.1:${port}/dev/mailbox (files in data/mailbox)`)
    expect(statSync(join(folder, 'data/secret.key')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(folder, 'data/secret.key'), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
    const visitor = new Visitor(`http://127.0.0.1:${port}`)
    await visitor.post(route, { email: 'alice@demo.example' })
    await eventually(
      () =>
        existsSync(join(folder, 'data/mailbox')) &&
        readdirSync(join(folder, 'data/mailbox')).length === 1,
    )
  })

  it('starts twice at once in an empty folder, with one secret', async () => {
    const ports = [await freePort(), await freePort()]
    const both = ports.map((port) => run(['serve'], { FORGOT_SERVER__PORT: String(port) }))
    await Promise.all(both.map((cli) => cli.listening()))
    expect(
      readdirSync(join(folder, 'data')).filter((name) => name.startsWith('secret.key')),
    ).toEqual(['secret.key'])
  })

  it('is refused in production, with the keys to set', async () => {
    const cli = run(['serve'], { NODE_ENV: 'production' })
    expect(await cli.ended()).toBe(2)
    expect(cli.errors).toContain('users: is required in production')
    expect(cli.errors).toContain('smtp.host: is required in production')
  })
})

describe('what cannot be used', () => {
  it('ends with 2 and every problem, and no secret', async () => {
    writeFileSync(
      join(folder, 'bad.yaml'),
      'site:\n  name: [x]\n  urll: https://site.example\nsmtp:\n  pass: hunter2\n  port: ${PORT:?the port}\n',
    )
    const cli = run(['serve', '--config', 'bad.yaml'], { FORGOT_SMTP__PASS_FILE: '/none' })
    expect(await cli.ended()).toBe(2)
    expect(cli.errors).toBe(`The configuration cannot be used: 5 problems
  bad.yaml:2:9 site.name: must be the name people know the site by
  bad.yaml:3:3 site.urll: unknown key (did you mean "url"?)
  bad.yaml:5:3 smtp.user: is required with smtp.pass
  bad.yaml:6:9 smtp.port: the environment variable PORT is not set: the port
  FORGOT_SMTP__PASS_FILE: the file it names cannot be read (ENOENT)
`)
    expect(cli.output).toBe('')
  })

  it.each([
    [['srve'], 'There is no command srve; did you mean serve?'],
    [['serve', '--config', 'none.yaml'], 'none.yaml: there is no file'],
    [['serve', 'site.yaml'], 'site.yaml: not expected here; say --config site.yaml'],
    [['serve', '--confg', 'x'], "Unknown option '--confg' (did you mean --config?)"],
    [['config'], 'config: say "config print"'],
  ])('%j ends with 2', async (args, message) => {
    const cli = run(args)
    expect(await cli.ended()).toBe(2)
    expect(cli.errors).toContain(message)
  })

  it('a port that is taken ends with 1 and the remedy', async () => {
    const port = await freePort()
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
    const cli = run(['serve'], { FORGOT_SERVER__PORT: String(port), FORGOT_LOG__LEVEL: 'silent' })
    expect(await cli.ended()).toBe(1)
    expect(cli.errors).toContain(
      `127.0.0.1:${port} cannot be listened on: another program is using it`,
    )
    other.close()
  })

  it('a user table that does not fit ends with 2 and names it', async () => {
    const site = await Site.start()
    await site.server?.close()
    writeFileSync(
      join(folder, 'c.yaml'),
      stringify({
        ...site.config,
        users: { ...(site.config.users as UserTableInput), email: 'e_mail' },
      }),
    )
    const cli = run(['serve', '--config', 'c.yaml'])
    expect(await cli.ended()).toBe(2)
    expect(cli.errors).toContain('users.email: there is no column "e_mail" in members; it has ')
    expect(cli.errors).toContain('e_mail')
    await site.stop()
  })
})

describe('help', () => {
  it.each([
    [['--help'], 'serve '],
    [['serve', '--help'], 'forgot-password serve --config'],
    [['help'], 'config '],
  ])('%j is printed and ends with 0', async (args, text) => {
    const cli = run(args)
    expect(await cli.ended()).toBe(0)
    expect(cli.output).toContain(text)
  })

  it('says which version it is', async () => {
    const cli = run(['--version'])
    expect(await cli.ended()).toBe(0)
    expect(cli.output).toBe(`${manifest.version}\n`)
  })

  it('config schema and config example print what they say', async () => {
    const schema = run(['config', 'schema'])
    const example = run(['config', 'example'])
    expect(await schema.ended()).toBe(0)
    expect(JSON.parse(schema.output)).toHaveProperty('properties.smtp.properties.host')
    expect(await example.ended()).toBe(0)
    expect(example.output).toContain('linkLifetime: 60m')
  })
})
