import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { ForgotError } from '../errors.ts'

const fileName = 'secret.key'
const pattern = /^[0-9a-f]{64}$/

/**
 * The secret of a site that has configured none: made once, kept beside the data, and good for one machine.
 *
 * @throws {ForgotError} `ERR_FORGOT_CONFIG` when it cannot be made, or what is kept is no whole secret.
 */
export function keptSecret(dataDir: string): string {
  const file = join(dataDir, fileName)
  const secret = readOrMake(file, dataDir)
  // An empty or cut file would sign with a key that anybody can guess.
  if (pattern.test(secret)) return secret
  const message = `secret: ${file} does not hold 64 hex characters: restore it, or remove it and ask again`
  throw new ForgotError('ERR_FORGOT_CONFIG', message)
}

function readOrMake(file: string, dataDir: string): string {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    if (!existsSync(file)) make(file)
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    const message = `secret: none is set and ${file} cannot be made: set one, or make the folder writable`
    throw new ForgotError('ERR_FORGOT_CONFIG', message, { cause })
  }
}

/** Appears whole or not at all; of two processes that start at once, the second keeps the first's. */
function make(file: string): void {
  const draft = `${file}.${randomBytes(8).toString('hex')}`
  const descriptor = openSync(draft, 'wx', 0o600)
  try {
    writeSync(descriptor, `${randomBytes(32).toString('hex')}\n`)
    fsyncSync(descriptor)
    linkSync(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    closeSync(descriptor)
    unlinkSync(draft)
  }
}
