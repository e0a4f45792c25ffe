import { relative } from 'node:path'
import type { Config } from '../config/config.ts'
import { checkLanguages } from '../language-check.ts'
import { readLanguages } from '../languages.ts'
import { type Finding, showFinding } from '../locale/finding.ts'
import { nearest } from '../nearest.ts'
import { UsageError } from './command.ts'

interface Checked {
  /** The tags of the languages that were looked at. */
  readonly languages: readonly string[]
  readonly faults: number
  readonly warnings: number
  /** Their files are named from the working folder, where they are in it. */
  readonly findings: readonly Finding[]
}

/**
 * Looks at languages, built in and the site's own.
 *
 * @param tags Which; none for all.
 * @throws {UsageError} for one that is not there.
 */
export async function checkAll(
  config: Config,
  tags: readonly string[],
  isStrict: boolean,
): Promise<Checked> {
  const languages = readLanguages(config)
  const known = [...new Set(languages.all.map(({ tag }) => tag))].sort()
  const unknown = tags.find((tag) => !known.includes(tag))
  if (unknown !== undefined) {
    const near = nearest(unknown, known)
    const hint = near === null ? `; there is ${known.join(', ')}` : `; did you mean ${near}?`
    throw new UsageError(`locales check: there is no language ${unknown}${hint}`)
  }
  const named = tags.length === 0 ? {} : { tags }
  const findings = await checkLanguages(config, languages, { ...named, isStrict })
  const count = (level: string) => findings.filter((each) => each.level === level).length
  return {
    languages: tags.length === 0 ? known : tags,
    faults: count('fault'),
    warnings: count('warning'),
    findings: findings.map((each) => ({ ...each, file: shown(each.file) })),
  }
}

/**
 * A line for each finding, and one with their numbers.
 *
 * @param areAnnotated Whether GitHub is told as well, in its workflow commands.
 */
export function describeFindings(
  { findings, faults, warnings, languages }: Checked,
  { areAnnotated }: { readonly areAnnotated: boolean },
): string {
  const lines = findings.flatMap((each) => [
    showFinding(each),
    ...(areAnnotated ? [annotation(each)] : []),
  ])
  const counts = `${plural(faults, 'fault')} and ${plural(warnings, 'warning')}`
  const total = `${counts} in ${plural(languages.length, 'language')}`
  return `${[...lines, total].join('\n')}\n`
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

function annotation({ file, line, column, key, level, text }: Finding): string {
  const command = level === 'fault' ? 'error' : 'warning'
  const place = `file=${property(file)},line=${line},col=${column}`
  return `::${command} ${place}::${escaped(key === '' ? text : `${key}: ${text}`)}`
}

function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

function shown(file: string): string {
  const short = relative(process.cwd(), file)
  return short.startsWith('..') ? file : short
}
