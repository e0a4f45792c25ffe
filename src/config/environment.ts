import { readFileSync } from 'node:fs'
import { keyNamesAt } from './keys.ts'
import type { Environment, Source } from './source.ts'

const prefix = 'FORGOT_'

/**
 * Lays `FORGOT_SMTP__PASS` and its like over the file: `__` goes one level down, and `_FILE` at the end
 * reads the value from that file, as container platforms hand out secrets.
 */
export function readEnvironment(source: Source, env: Environment): void {
  const taken = new Map<string, string>()
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(prefix) || value === undefined) continue
    const key = keyOf(variable.slice(prefix.length))
    if (key?.path[0] === 'imports') {
      source.problems.add(variable, null, 'imports are named in files alone')
      continue
    }
    if (key === null) {
      source.problems.add(variable, null, 'there is no such key in the configuration')
      continue
    }
    const other = taken.get(key.path.join('.'))
    if (other !== undefined) {
      source.problems.add(variable, null, `${other} sets the same key: set one of them`)
      continue
    }
    taken.set(key.path.join('.'), variable)
    const text = key.isFromFile ? readSecret(source, variable, value) : value
    if (text === null) continue
    source.set(key.path, text, variable)
    source.markTextual(key.path)
  }
}

function keyOf(text: string): { path: string[]; isFromFile: boolean } | null {
  const path = pathOf(text)
  if (path !== null) return { path, isFromFile: false }
  const filePath = text.endsWith('_FILE') ? pathOf(text.slice(0, -'_FILE'.length)) : null
  return filePath && { path: filePath, isFromFile: true }
}

function pathOf(text: string): string[] | null {
  const path: string[] = []
  for (const part of text.split('__')) {
    const wanted = part.replaceAll('_', '').toLowerCase()
    const key = keyNamesAt(path).find((candidate) => candidate.toLowerCase() === wanted)
    if (key === undefined) return null
    path.push(key)
  }
  return path
}

function readSecret(source: Source, variable: string, file: string): string | null {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    source.problems.add(variable, null, `the file it names cannot be read (${code})`)
    return null
  }
}
