import { z } from 'zod'
import type { Path } from './problems.ts'
import { schema } from './schema.ts'

/** One key as JSON Schema describes it: what the documentation and the environment are read from. */
export interface Key {
  readonly description?: string
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Key>>
  readonly anyOf?: readonly Key[]
}

let made: Key | null = null

/** The JSON Schema of what may be written in `config.yaml`; made when it is asked for, since a start is felt. */
export function configSchema(): Key {
  made ??= z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Key
  return made
}

/** The keys of an object, also where it may be left out; `null` where it is none, or any key may stand. */
export function keysOf(key: Key | undefined): Readonly<Record<string, Key>> | null {
  if (key?.properties !== undefined) return key.properties
  for (const choice of key?.anyOf ?? []) {
    const keys = keysOf(choice)
    if (keys !== null) return keys
  }
  return null
}

/** Whether an object must stand at a path: one with nothing in it but comments is as good as none. */
export function isSection(path: Path): boolean {
  let key: Key | undefined = configSchema()
  for (const name of path) key = keysOf(key)?.[String(name)]
  return key?.properties !== undefined
}

/** The names of the keys that may stand in the object at a path. */
export function keyNamesAt(path: Path): readonly string[] {
  let key: Key | undefined = configSchema()
  for (const name of path) key = keysOf(key)?.[String(name)]
  return Object.keys(keysOf(key) ?? {})
}
