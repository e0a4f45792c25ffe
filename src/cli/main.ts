#!/usr/bin/env node
// Nothing that needs a newer Node may be imported before this has looked.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 14)) {
  process.stderr.write(
    `forgot-password needs Node 22.14 or later, and this is ${process.versions.node}.\n` +
      'In a checkout, "npm run forgot-password" brings its own.\n',
  )
  process.exitCode = 2
} else {
  const { run } = await import('./run.ts')
  process.exitCode = await run(process.argv.slice(2))
}
