import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { Cli } from '../support/process.ts'
import { accounts, newPassword, Site } from '../support/site.ts'

const { alice } = accounts

let site: Site
let file = ''

beforeAll(async () => {
  site = await Site.start()
  file = join(site.folder, 'config.yaml')
  writeFileSync(file, stringify(site.config))
})
afterAll(() => site.stop())

async function run(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const cli = new Cli([...args, '--config', file])
  const code = await cli.ended()
  return { code, out: cli.output, err: cli.errors }
}

it('link issue prints a link that works, link revoke ends it, and audit tells of both', async () => {
  const issued = await run('link', 'issue', alice.email)
  const [link = '', about] = issued.out.split('\n')
  site.secrets.add(new URL(link).searchParams.get('token') ?? '')
  expect(about).toMatch(/^Reference \w{4}-\w{4}; works once, until \d{4}-\d\d-\d\dT[\d:.]+Z$/)
  expect(issued.code).toBe(0)
  const second = await run('link', 'issue', alice.email, '--json')
  const json = JSON.parse(second.out)
  expect(Object.keys(json)).toEqual(['link', 'reference', 'expiresAt'])
  expect((await run('link', 'revoke', alice.email)).out).toContain('void now')
  expect(await run('link', 'revoke', alice.email)).toMatchObject({ code: 1 })
  expect((await site.visitor().get(json.link)).status).not.toBe(303)
  const audit = await run('audit', alice.email)
  expect(audit.out).toMatch(
    /^at +event +why +network +recovery\n\S+Z +revoked +support +[\w-]{12}\n/,
  )
  expect(JSON.parse((await run('audit', alice.email, '--count', '1', '--json')).out)).toMatchObject(
    [{ event: 'revoked', reason: 'support', userId: '1' }],
  )
  expect(site.hasPassword(alice.email, newPassword)).toBe(false)
})

it('what cannot be done ends with 1 or 2, says why, and repeats no address', async () => {
  const results = await Promise.all([
    run('link', 'issue', 'nobody@site.example'),
    run('link', 'issue'),
    run('link', 'isue', alice.email),
    run('audit', alice.email, '--count', 'x'),
    run('audit', 'nobody@site.example'),
  ])
  expect(results.map(({ code }) => code)).toEqual([1, 2, 2, 2, 0])
  const said = results.map(({ out, err }) => out + err)
  expect(said[0]).toContain('There is no account with this address that may be recovered')
  expect(said[1]).toContain('name one email address')
  expect(said[2]).toContain('say "link issue" or "link revoke"')
  expect(said[4]).toBe('Nothing is known of this address.\n')
  expect(said.join()).not.toContain('nobody@')
})

it('migrate and prune say what they did', async () => {
  expect(await run('migrate', '--status')).toMatchObject({
    code: 0,
    out: 'The tables are up to date.\n',
  })
  const other = ['--config', file]
  const env = { FORGOT_STORE__URL: `sqlite:${join(site.folder, 'other.db')}` }
  const pending = new Cli(['migrate', '--status', '--json', ...other], { env })
  expect(await pending.ended()).toBe(1)
  const { pending: steps } = JSON.parse(pending.output) as { pending: string[] }
  const made = new Cli(['migrate', ...other], { env })
  expect(await made.ended()).toBe(0)
  expect(made.output).toBe(`${steps.join('\n')}\n`)
  expect(await run('prune')).toMatchObject({ code: 0, out: 'What ended long ago is deleted.\n' })
})
