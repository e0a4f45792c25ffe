// Preloaded into a process of its own: stops it for good before the statement that HALT_AT begins, to be killed there.
import { writeSync } from 'node:fs'
import Database from 'better-sqlite3'
import { Client } from 'pg'

const haltAt = process.env['HALT_AT'] ?? ''
const standardError = 2
let isBegun = false

/** @param text A statement that is about to be executed. */
function pass(text: unknown): void {
  if (!isBegun) writeSync(standardError, 'begun')
  isBegun = true
  if (haltAt === '' || typeof text !== 'string' || !text.startsWith(haltAt)) return
  writeSync(standardError, ', halted')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

const { prepare } = Database.prototype
Database.prototype.prepare = function (this: Database.Database, text: string) {
  pass(text)
  return prepare.call(this, text)
} as typeof prepare

const { query } = Client.prototype
Client.prototype.query = function (this: Client, ...words: unknown[]) {
  pass(words[0])
  return Reflect.apply(query, this, words)
} as typeof query
