import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from 'playwright'
import type { TestProject } from 'vitest/node'
import { PostgresServer } from './postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    chromiumPath: string
    /** Where the server listens in which test sites have their stores; 0 where they have files. */
    postgresPort: number
  }
}

/** Runs once before all tests: finds what they need, or says what is missing. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 22 || (major === 22 && minor < 14)) {
    throw new Error('Run the tests with "npm test": it uses the Node of devDependencies')
  }
  project.provide('chromiumPath', await findChromium())
  buildWhenStale()
  const server = process.env['TEST_STORE'] === 'postgres' ? await PostgresServer.start() : null
  project.provide('postgresPort', server?.port ?? 0)
  return async () => server?.stop()
}

/** Examples and the package's own tests run what is built. */
function buildWhenStale(): void {
  const inputs = ['src', 'templates', 'locales']
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    .concat('build.mjs', 'tsconfig.json')
  const changedAt = Math.max(...inputs.map((file) => statSync(file).mtimeMs))
  const marker = 'dist/config.schema.json'
  const isFresh = existsSync(marker) && statSync(marker).mtimeMs > changedAt
  if (isFresh) return
  try {
    execFileSync(process.execPath, ['build.mjs'], { stdio: 'inherit' })
  } catch {
    console.error('The build has failed: tests of what is built will fail too')
  }
}

async function findChromium(): Promise<string> {
  const installed = [
    process.env['CHROMIUM_PATH'],
    '/usr/bin/chromium',
    '/usr/bin/google-chrome',
    chromium.executablePath(),
  ].find((path) => path !== undefined && existsSync(path))
  if (installed !== undefined) return installed
  // Comes with `npm install`; it is unpacked here, since two test files would do it at once.
  const { default: packed } = await import('@sparticuz/chromium')
  return packed.executablePath()
}
