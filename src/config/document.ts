import { stringify } from 'yaml'
import { configSchema, type Key, keysOf } from './keys.ts'

const width = 100

/** Values of a configuration, in the shape in which it is written. */
export interface Values {
  readonly [key: string]: unknown
}

/**
 * A `config.yaml` with every key and what it means: written from the schema, so that it cannot tell anything else
 * than what is checked.
 *
 * @param schemaPath Where an editor finds the JSON Schema, relative to the file.
 * @param set What is set in it, all other keys being commented out; default: every key is set to its default.
 */
export function documentConfig(schemaPath: string, set: Values | null = null): string {
  const head =
    set === null
      ? 'Every key, with its default: what you do not set stays as it is here.'
      : 'What is set here, and in comments every other key with its default: take away the # to set it.'
  const sections = Object.entries(configSchema().properties ?? {}).map(([key, node]) =>
    section(key, node, { indent: '', set }),
  )
  return `# yaml-language-server: $schema=${schemaPath}
#
# ${head}
# Durations are written 500ms, 90s, 10m, 1h or 1d; relative paths are relative to this file.
# \${VAR}, \${VAR:-default} and \${VAR:?message} are taken from the environment; FORGOT_SMTP__PASS sets
# smtp.pass whatever stands here, and FORGOT_SMTP__PASS_FILE reads it from a file.

${sections.join('\n\n')}
`
}

interface Where {
  readonly indent: string
  /** What is set around the key; `null` when every key is to show its default. */
  readonly set: Values | null
}

/** One key, its comment above it. An object that may be left out is shown as a comment below. */
function section(key: string, node: Key, { indent, set }: Where): string {
  const comment = node.description === undefined ? '' : `${wrap(node.description, indent)}\n`
  const value = set?.[key]
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
  const inner = keysOf(node)
  if (node.properties !== undefined || (inner !== null && isMap)) {
    const within = set === null ? null : isMap ? (value as Values) : {}
    return `${comment}${indent}${key}:\n${keys(inner ?? {}, indent, within)}`
  }
  const isSet = set === null || value !== undefined
  const shown = value ?? node.default ?? node.examples?.[0] ?? null
  const line = assignment(key, shown, indent)
  const assigned = `${comment}${isSet ? indent + line : commentedOut(line, indent)}`
  if (inner === null) return assigned
  const example = `${key}:\n${keys(inner, '', null)}`
  const lines = example.split('\n').map((text) => `${indent}#${text}`)
  // In the place of the line that says null: to set both would be a mistake.
  return isSet ? `${assigned}\n${lines.join('\n')}` : `${comment}${lines.join('\n')}`
}

function commentedOut(text: string, indent: string): string {
  return text
    .split('\n')
    .map((line, index) => `${indent}#${index === 0 ? line : line.slice(indent.length)}`)
    .join('\n')
}

function keys(
  properties: Readonly<Record<string, Key>>,
  indent: string,
  set: Values | null,
): string {
  const inner = `${indent}  `
  return Object.entries(properties)
    .map(([key, node]) => section(key, node, { indent: inner, set }))
    .join('\n')
}

function assignment(key: string, value: unknown, indent: string): string {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
  const text = stringify(value, {
    collectionStyle: isMap ? 'block' : 'flow',
    flowCollectionPadding: false,
    lineWidth: 0,
    singleQuote: true,
  }).trimEnd()
  if (!isMap || text === '{}') return `${key}: ${text}`
  return `${key}:\n${text.replaceAll(/^/gm, `${indent}  `)}`
}

function wrap(text: string, indent: string): string {
  const lines: string[] = []
  let line = `${indent}#`
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > width) {
      lines.push(line)
      line = `${indent}#`
    }
    line += ` ${word}`
  }
  return [...lines, line].join('\n')
}
