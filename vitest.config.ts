import { existsSync } from 'node:fs'
import { configDefaults, defineConfig } from 'vitest/config'

const folders = (process.env['PATH'] ?? '').split(':')
const has = (program: string) => folders.some((folder) => existsSync(`${folder}/${program}`))
const hasMysql = Boolean(process.env['TEST_MYSQL_URL'])

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // These need a program that no package brings: CONTRIBUTING.md tells how to have one.
    exclude: [
      ...configDefaults.exclude,
      ...(hasMysql ? [] : ['**/mysql.test.ts']),
      ...(has('nginx') ? [] : ['test/nginx.test.ts']),
      // The Chromium that a package brings is a shell without a password manager.
      ...(has('chromium') ? [] : ['test/e2e/password-manager.test.ts']),
    ],
    globalSetup: ['test/support/setup.ts'],
    // Two cores, and a third of the time tests wait: for a beat, a browser, a process. More would only take turns.
    maxWorkers: 4,
    // Tests keep nothing in modules, and to load these anew for each file takes a fifth of all the work.
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
