import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../src/config/load.ts'

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'TRANSLATING.md',
  'docs/templates.md',
]
const readme = readFileSync('README.md', 'utf8')

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(
    ([, text]) => text ?? '',
  )
}

describe('the README', () => {
  it('shows configurations that load, and that ask for their secrets', () => {
    const env = { RECOVERY_SECRET: 'x'.repeat(32), SMTP_PASS: 'x' }
    const configurations = blocks('yaml')
    expect(configurations.length).toBeGreaterThan(0)
    for (const text of configurations) {
      const folder = mkdtempSync('test/tmp-')
      const file = join(folder, 'config.yaml')
      writeFileSync(file, text)
      try {
        expect(loadConfig(file, { env }).smtp.pass).toBe('x')
        expect(() => loadConfig(file, { env: {} })).toThrow(/RECOVERY_SECRET is not set: make one/)
      } finally {
        rmSync(folder, { recursive: true })
      }
    }
  })

  it('shows code that compiles', () => {
    const folder = mkdtempSync('test/tmp-')
    try {
      const code = blocks('ts')
      expect(code.length).toBeGreaterThan(0)
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
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('names commands that there are', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
    for (const [, script] of `${readme}${readFileSync('CONTRIBUTING.md', 'utf8')}`.matchAll(
      /npm run (?:-s )?([\w-]+)/g,
    )) {
      expect(Object.keys(scripts)).toContain(script)
    }
  })
})

it.each(documents)('%s links to files that are there', (document) => {
  const links = [...readFileSync(document, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)\)/g)]
  for (const [, file = ''] of links)
    expect([file, existsSync(join(dirname(document), file))]).toEqual([file, true])
})
