import { configSchema, type Key, keysOf } from './keys.ts'
import type { TracedConfig } from './load.ts'
import { masked } from './secrets.ts'
import { isObject } from './source.ts'

/** One key of a configuration, as it counts in the end. */
export interface ResolvedKey {
  readonly path: readonly string[]
  /** As it is written in a configuration; what is secret in it is `***`. */
  readonly value: unknown
  /** `config.yaml:3:9`, the name of a variable, or `default`. */
  readonly from: string
}

/**
 * Every key with the value that counts and where that comes from.
 *
 * @param isWhole Whether keys that nobody has set are among them, with their defaults.
 */
export function resolvedKeys(traced: TracedConfig, isWhole: boolean): ResolvedKey[] {
  return keysIn(configSchema(), [], traced).filter(({ from }) => isWhole || from !== unset)
}

const unset = 'default'

function keysIn(node: Key, path: readonly string[], traced: TracedConfig): ResolvedKey[] {
  const given = traced.given(path)
  const keys = keysOf(node)
  // An object that may be left out is one value until somebody has set it.
  const isOpen = keys !== null && (node.properties !== undefined || isObject(given?.value))
  if (isOpen) {
    return Object.entries(keys).flatMap(([key, inner]) => keysIn(inner, [...path, key], traced))
  }
  if (given === null) return [{ path, value: node.default ?? null, from: unset }]
  return [{ path, value: masked(path, given.value), from: given.place }]
}
