// Preloaded into a process of its own: stops it for good before the statement that HALT_AT begins, to be killed there.
import { writeSync } from 'node:fs'
import Database from 'better-sqlite3'

const { prepare } = Database.prototype
const haltAt = process.env['HALT_AT'] ?? ''
const standardError = 2

Database.prototype.prepare = function (this: Database.Database, text: string) {
  if (haltAt !== '' && text.startsWith(haltAt)) {
    writeSync(standardError, 'halted')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
  return prepare.call(this, text)
} as typeof prepare
