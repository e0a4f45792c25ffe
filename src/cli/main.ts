#!/usr/bin/env node
import { checkNode } from '../node.ts'

try {
  checkNode()
  // Only now: what it imports may not even load on an older Node.
  const { run } = await import('./run.ts')
  process.exitCode = await run(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
