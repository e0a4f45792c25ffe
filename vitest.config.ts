import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/setup.ts'],
    // Two cores, and a third of the time tests wait: for a beat, a browser, a process. More would only take turns.
    maxWorkers: 3,
    // Tests keep nothing in modules, and to load these anew for each file takes a fifth of all the work.
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
