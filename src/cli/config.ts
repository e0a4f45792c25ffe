import { stringify } from 'yaml'
import { documentConfig } from '../config/document.ts'
import { configSchema } from '../config/keys.ts'
import { traceConfig } from '../config/load.ts'
import { type ResolvedKey, resolvedKeys } from '../config/resolved.ts'
import {
  type Command,
  configOption,
  jsonOption,
  parse,
  print,
  printJson,
  UsageError,
} from './command.ts'

const options = {
  ...configOption,
  ...jsonOption,
  resolved: { type: 'boolean' },
  schema: { type: 'string' },
} as const

export const command: Command = {
  summary: 'prints the configuration in use, a commented one, or its JSON Schema',
  help: `forgot-password config print [--resolved] [--json] [--config <file>]
forgot-password config example [--schema <path>]
forgot-password config schema

print   prints what the file and the environment set, each value with the place it comes from, secrets hidden.
        With --resolved, every key: those that nobody sets with their defaults.
example prints a config.yaml with every key, its default and what it means.
schema  prints its JSON Schema: an editor that is given it completes and checks the keys.

  forgot-password config print
  forgot-password config print --resolved --config /etc/forgot-password/config.yaml
  forgot-password config example > config.yaml
  forgot-password config schema > config.schema.json`,
  options,
  actions: ['print', 'example', 'schema'],

  async run(args) {
    const { positionals, values } = parse(args, options, 1)
    const [what] = positionals
    const path = values.schema ?? './node_modules/fastify-forgot-password/dist/config.schema.json'
    if (what === 'print') {
      const keys = resolvedKeys(traceConfig(values.config), values.resolved === true)
      if (values.json === true) printJson(keys.map(toJson))
      else print(show(keys))
    } else if (what === 'example') print(documentConfig(path))
    else if (what === 'schema') printJson(configSchema())
    else throw new UsageError('config: say "config print", "config example" or "config schema"')
    return 0
  },
}

function toJson({ path, value, from }: ResolvedKey): object {
  return { key: path.join('.'), value, from }
}

/** As a configuration would have them, the places in comments. */
function show(keys: readonly ResolvedKey[]): string {
  if (keys.length === 0) return '# Nothing is set: this is the demo.\n'
  let around: readonly string[] = []
  const lines: string[] = []
  for (const { path, value, from } of keys) {
    const folders = path.slice(0, -1)
    const shared = folders.findIndex((name, depth) => around[depth] !== name)
    for (const [depth, name] of folders.entries()) {
      if (shared !== -1 && depth >= shared) lines.push(`${'  '.repeat(depth)}${name}:`)
    }
    around = folders
    const isLong = typeof value === 'string' && value.includes('\n')
    const text = isLong
      ? JSON.stringify(value)
      : stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd()
    lines.push(`${'  '.repeat(folders.length)}${path.at(-1)}: ${text}  # ${from}`)
  }
  return `${lines.join('\n')}\n`
}
