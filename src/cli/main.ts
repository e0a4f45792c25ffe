#!/usr/bin/env node
import { checkNode } from '../node.ts'
import { keepCompiled } from './compile-cache.ts'

// Whoever reads the output may have seen enough of it: what is being done is done all the same.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

try {
  checkNode()
  keepCompiled()
  // Only now: what it imports may not even load on an older Node.
  const { run } = await import('./run.ts')
  const code = await run(process.argv.slice(2))
  // A module of the site's own may keep connections, which nobody would wait for.
  if (code !== undefined) process.stdout.write('', () => process.exit(code))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
