import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { expect, it } from 'vitest'
import { documentConfig } from '../src/config/document.ts'

const manifest = JSON.parse(readFileSync('package.json', 'utf8'))

it('is built with everything that runs', () => {
  for (const file of [
    'index.js',
    'index.d.ts',
    'password/worker.js',
    'config.schema.json',
    'templates/assets/style.css',
    'locales/en.yaml',
  ]) {
    expect([file, existsSync(`dist/${file}`)]).toEqual([file, true])
  }
  expect(readFileSync('dist/config.yaml', 'utf8')).toBe(documentConfig('./config.schema.json'))
  const sources = readdirSync('dist', { recursive: true, encoding: 'utf8' })
  expect(sources.filter((file) => /(?<!\.d)\.ts$|\.map$|test/.test(file))).toEqual([])
})

it('runs from what is built', () => {
  const output = execFileSync(process.execPath, ['dist/cli/main.js', '--help'], {
    encoding: 'utf8',
  })
  expect(output).toContain('forgot-password <command>')
})

it('is a package as packages should be', async () => {
  const { messages } = await publint({ pkgDir: '.', strict: true })
  expect(messages.map((message) => formatMessage(message, manifest))).toEqual([])
})

it('depends on exact versions', () => {
  for (const version of Object.values({ ...manifest.dependencies, ...manifest.devDependencies })) {
    expect(version).toMatch(/^\d+\.\d+\.\d+(?:-[\w.]+)?$/)
  }
})
