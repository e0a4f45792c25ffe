import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { schema } from './schema.ts'
import type { Environment, Path, Source } from './source.ts'

interface Keys {
  readonly properties?: Readonly<Record<string, Keys>>
  readonly anyOf?: readonly Keys[]
}

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
    if (key === null) {
      source.problems.push(`${variable}: there is no such key in the configuration`)
      continue
    }
    const id = key.path.join('.')
    const other = taken.get(id)
    if (other !== undefined) {
      source.problems.push(`${variable}: ${other} sets the same key: set one of them`)
      continue
    }
    taken.set(id, variable)
    const text = key.fromFile ? readSecret(source, variable, value) : value
    if (text === null) continue
    source.set(key.path, text, variable)
    source.textual.push(key.path)
  }
}

/** The keys that may stand in the object at this path; `null` where any may, as in `routes`. */
export function keysAt(path: Path): readonly string[] | null {
  let keys: Keys | undefined = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
  }) as Keys
  for (const key of path) keys = objectOf(keys)?.properties?.[String(key)]
  const properties = objectOf(keys)?.properties
  return properties ? Object.keys(properties) : null
}

function keyOf(text: string): { path: string[]; fromFile: boolean } | null {
  for (const fromFile of [false, true]) {
    if (fromFile && !text.endsWith('_FILE')) continue
    const path = pathOf(fromFile ? text.slice(0, -'_FILE'.length) : text)
    if (path) return { path, fromFile }
  }
  return null
}

function pathOf(text: string): string[] | null {
  const path: string[] = []
  for (const part of text.split('__')) {
    const wanted = part.replaceAll('_', '').toLowerCase()
    const key = keysAt(path)?.find((candidate) => candidate.toLowerCase() === wanted)
    if (key === undefined) return null
    path.push(key)
  }
  return path
}

function objectOf(keys: Keys | undefined): Keys | undefined {
  return keys?.properties ? keys : keys?.anyOf?.find((choice) => choice.properties)
}

function readSecret(source: Source, variable: string, file: string): string | null {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    source.problems.push(`${variable}: the file it names cannot be read (${code})`)
    return null
  }
}
