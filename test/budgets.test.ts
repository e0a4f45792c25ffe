import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { expect, it } from 'vitest'

const mebibyte = 2 ** 20
const manifest = JSON.parse(readFileSync('package.json', 'utf8'))

interface Locked {
  readonly dev?: boolean
  readonly peer?: boolean
  readonly optional?: boolean
}

/** The folders of what an installation without its development brings. */
function installed(): readonly string[] {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
  return Object.entries(packages as Record<string, Locked>)
    .filter(([path, { dev, peer, optional }]) => path !== '' && !dev && !peer && !optional)
    .map(([path]) => path)
}

/** Without the packages inside: those are counted by themselves. */
function bytesOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules')
    .map((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? bytesOf(path) : statSync(path).size
    })
    .reduce((sum, bytes) => sum + bytes, 0)
}

it('an installation brings 16 packages that were chosen, 80 in all, of 56 MiB', () => {
  const folders = installed()
  expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(16)
  expect(folders.length).toBeLessThanOrEqual(80)
  const bytes = folders.map(bytesOf).reduce((sum, each) => sum + each, 0)
  expect(bytes / mebibyte).toBeLessThanOrEqual(56)
})

it('the package holds what runs, the types of what it exports, and nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'forgot-package-'))
  try {
    const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]
    const [{ filename, files, unpackedSize }] = JSON.parse(execFileSync('npm', args).toString())
    const paths: string[] = files.map(({ path }: { path: string }) => path)
    const others = paths.filter((path) => !path.startsWith('dist/'))
    expect(others.toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
    const kinds =
      /^dist\/(?:.+\.js|.+\.d\.ts|(?:templates|locales)\/.+|config\.(?:yaml|schema\.json))$/
    expect(paths.filter((path) => !others.includes(path) && !kinds.test(path))).toEqual([])
    const types = paths.filter((path) => path.endsWith('.d.ts'))
    expect(new Set(types)).toEqual(typesFrom('dist/index.d.ts'))
    expect(unpackedSize / mebibyte).toBeLessThanOrEqual(2)
    expect(await typeProblems(join(folder, filename))).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** A file of types and all that it is written in terms of. */
function typesFrom(file: string, found: Set<string> = new Set()): ReadonlySet<string> {
  if (found.has(file)) return found
  found.add(file)
  for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(/['"](\.[^'"]+)\.[jt]s['"]/g)) {
    const types = join(dirname(file), `${target}.d.ts`)
    if (existsSync(types)) typesFrom(types, found)
  }
  return found
}

async function typeProblems(tarball: string): Promise<readonly string[]> {
  const checked = await checkPackage(createPackageFromTarballData(readFileSync(tarball)))
  if (!('problems' in checked)) return ['It has no types']
  // The profile for packages of modules alone: whoever requires it gets one, as every Node it runs on can do.
  const others = ['"CJSResolvesToESM"', '"resolutionKind":"node10"']
  return checked.problems
    .map((problem) => JSON.stringify(problem))
    .filter((problem) => !others.some((other) => problem.includes(other)))
}

it('the script of the pages is 1.5 KB on its way', () => {
  const script = readFileSync('dist/templates/assets/script.js')
  expect(gzipSync(script).length).toBeLessThanOrEqual(1536)
})
