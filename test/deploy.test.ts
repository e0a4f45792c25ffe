import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { loadConfig } from '../src/config/load.ts'
import { Cli } from './support/process.ts'
import { Site } from './support/site.ts'

const read = (name: string) => readFileSync(`examples/deploy/${name}`, 'utf8')
const secrets = {
  RECOVERY_SECRET: '0123456789abcdef'.repeat(4),
  STORE_PASS: 'one',
  USERS_PASS: 'two',
  SMTP_PASS: 'three',
}
const config = loadConfig('examples/deploy/config.yaml', { env: secrets })

interface Service {
  readonly build?: string
  readonly image?: string
  readonly environment?: readonly string[] | Record<string, string>
  readonly stop_grace_period?: string
  readonly networks?: Record<string, { ipv4_address?: string }>
}
const { services } = parse(read('compose.yaml'), { merge: true }) as {
  services: Record<string, Service>
}

let site: Site | null = null
let cli: Cli | null = null
afterEach(async () => {
  cli?.kill('SIGKILL')
  await cli?.ended()
  await site?.stop()
  cli = null
  site = null
})

/** A site's own configuration file, on a free port. */
async function configFile(): Promise<string> {
  site = await Site.start()
  await site.server?.close()
  const file = join(site.folder, 'config.yaml')
  writeFileSync(file, stringify(site.config))
  return file
}

describe('the sample configuration', () => {
  it('asks for each of the secrets that the samples hand over, and for no other', () => {
    const asked = [...read('config.yaml').matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name)
    expect(asked.toSorted()).toEqual(Object.keys(secrets).toSorted())
    for (const name of ['recovery-1', 'recovery-2']) {
      expect(services[name]?.environment).toEqual(Object.keys(secrets))
    }
    expect(read('forgot-password.service')).toContain(
      '# RECOVERY_SECRET, STORE_PASS, USERS_PASS and SMTP_PASS',
    )
  })

  it('names the hosts and the port that the samples have', () => {
    expect(new URL(config.store.url).hostname).toBe('database')
    expect(services['proxy']?.networks?.['inside']?.ipv4_address).toBe(config.server.trustProxy)
    const upstream = [...read('nginx.conf').matchAll(/^ {2}server ([\w-]+):(\d+)/gm)]
    expect(upstream.map(([, host]) => services[host ?? '']?.build)).toEqual(['.', '.'])
    expect(upstream.map(([, , port]) => Number(port))).toEqual([3000, 3000])
    expect(config.server.port).toBe(3000)
    expect(read('Dockerfile')).toContain(`EXPOSE ${config.server.port}\n`)
  })
})

describe('the sample unit for systemd', () => {
  const unit = read('forgot-password.service')
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? ''

  it('starts the server by a command that there is, and ends it in time', async () => {
    const [program = '', ...words] = value('ExecStart').split(' ')
    const { bin } = JSON.parse(readFileSync('package.json', 'utf8')) as { bin: object }
    expect(Object.keys(bin)).toContain(program.split('/').at(-1))
    expect(words.slice(0, 2)).toEqual(['serve', '--config'])
    cli = new Cli(['serve', '--config', await configFile()])
    await cli.listening()
    const asked = performance.now()
    cli.kill('SIGTERM')
    expect(await cli.ended()).toBe(0)
    expect((performance.now() - asked) / 1000).toBeLessThan(Number(value('TimeoutStopSec')))
  })

  it('does not start again what cannot be configured', async () => {
    cli = new Cli(['serve', '--config', 'examples/deploy/config.yaml'])
    expect(await cli.ended()).toBe(Number(value('RestartPreventExitStatus')))
    expect(cli.errors).toContain('RECOVERY_SECRET')
  })

  it('forbids nothing that V8 needs', () => {
    expect(value('MemoryDenyWriteExecute')).toBe('')
    expect(value('SystemCallFilter')).toBe('')
  })
})

describe('the sample for containers', () => {
  const instruction = (name: string): unknown => {
    const line = new RegExp(`^${name} .*?(\\[.*\\])$`, 'm').exec(read('Dockerfile'))
    return JSON.parse(line?.[1] ?? 'null')
  }

  it('runs the command itself, so that the signal to end reaches it', async () => {
    expect(instruction('ENTRYPOINT')).toEqual(['node_modules/.bin/forgot-password'])
    expect(instruction('CMD')).toEqual(['serve'])
    expect(services['recovery-1']?.stop_grace_period).toBe('15s')
  })

  it('has a check that tells a server that answers from one that does not', async () => {
    const words = instruction('HEALTHCHECK') as string[]
    const file = await configFile()
    const port = new URL(site?.url ?? '').port
    const script = (words[2] ?? '').replace(':3000/', `:${port}/`)
    const check = () => spawnSync(process.execPath, ['-e', script]).status
    expect(check()).toBe(1)
    cli = new Cli(['serve', '--config', file])
    await cli.listening()
    expect(check()).toBe(0)
  })
})
