import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ForgotError } from '../errors.ts'

/**
 * Writes files with their folders: all of them, or none.
 *
 * @param files What they hold, by their paths.
 * @throws {ForgotError} `ERR_FORGOT_TEMPLATE` when one cannot be written.
 */
export function writeAll(files: ReadonlyMap<string, string>): void {
  const made: string[] = []
  let path = ''
  try {
    for (const file of files.keys()) {
      path = dirname(file)
      const first = mkdirSync(path, { recursive: true })
      if (first !== undefined) made.push(first)
    }
    for (const [file, text] of files) {
      path = file
      // Before it is written: a disk that is full leaves a part of it.
      if (!existsSync(file)) made.push(file)
      writeFileSync(file, text)
    }
  } catch (cause) {
    for (const each of made.reverse()) rmSync(each, { recursive: true, force: true })
    const { code } = cause as NodeJS.ErrnoException
    throw new ForgotError('ERR_FORGOT_TEMPLATE', `${path}: cannot be written (${code})`, { cause })
  }
}
