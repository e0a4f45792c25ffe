import { stringify } from 'yaml'
import { configSchema, type Key, keysOf } from './keys.ts'

const width = 100

/**
 * A `config.yaml` with every key, its default, and what it means: written from the schema, so that it
 * cannot tell anything else than what is checked.
 *
 * @param schemaPath Where an editor finds the JSON Schema, relative to the file.
 */
export function documentConfig(schemaPath: string): string {
  const sections = Object.entries(configSchema.properties ?? {}).map(([key, node]) =>
    section(key, node, ''),
  )
  return `# yaml-language-server: $schema=${schemaPath}
#
# Every key, with its default: what you do not set stays as it is here.
# Durations are written 500ms, 90s, 10m, 1h or 1d; relative paths are relative to this file.
# \${VAR}, \${VAR:-default} and \${VAR:?message} are taken from the environment; FORGOT_SMTP__PASS sets
# smtp.pass whatever stands here, and FORGOT_SMTP__PASS_FILE reads it from a file.

${sections.join('\n\n')}
`
}

/** One key, its comment above it. An object that may be left out is shown as a comment below. */
function section(key: string, node: Key, indent: string): string {
  const comment = node.description === undefined ? '' : `${wrap(node.description, indent)}\n`
  if (node.properties !== undefined)
    return `${comment}${indent}${key}:\n${keys(node.properties, indent)}`
  const inner = keysOf(node)
  const line = `${comment}${indent}${assignment(key, node.default ?? node.examples?.[0] ?? null, indent)}`
  if (inner === null) return line
  const example = `${key}:\n${keys(inner, '')}`
  const lines = example.split('\n').map((text) => `${indent}# ${text}`.trimEnd())
  return `${line}\n${lines.join('\n')}`
}

function keys(properties: Readonly<Record<string, Key>>, indent: string): string {
  const inner = `${indent}  `
  return Object.entries(properties)
    .map(([key, node]) => section(key, node, inner))
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
