import type { Finding } from '../doctor/finding.ts'
import {
  configOption,
  type ExitCode,
  jsonOption,
  print,
  printJson,
  programName,
} from './command.ts'

const signs = { good: '✓', warning: '!', fault: '✗' } as const

/** What a command takes that prints findings. */
export const findingOptions: typeof configOption &
  typeof jsonOption & {
    readonly strict: { type: 'boolean' }
    readonly 'users-in-code': { type: 'boolean' }
  } = {
  ...configOption,
  ...jsonOption,
  strict: { type: 'boolean' },
  'users-in-code': { type: 'boolean' },
}

interface Values {
  readonly json?: boolean | undefined
  readonly strict?: boolean | undefined
}

/**
 * Prints findings as they come, each with its remedy below.
 *
 * @returns 2 when the configuration cannot be used, 1 with any other fault, else 0.
 */
export async function printFindings(
  findings: AsyncIterable<Finding>,
  { json = false, strict = false }: Values,
): Promise<ExitCode> {
  const found: Finding[] = []
  for await (const finding of findings) {
    found.push(finding)
    if (!json) print(show(finding))
  }
  if (json) printJson(found)
  else print(`\n${summary(found)}\n`)
  const faults = found.filter(({ level }) => level === 'fault' || (strict && level === 'warning'))
  if (faults.length === 0) return 0
  return faults.some(({ check }) => check === 'configuration') ? 2 : 1
}

function show({ level, text, remedy }: Finding): string {
  const line = `${signs[level]} ${text}\n${remedy === null ? '' : `    → ${remedy}\n`}`
  return line.replaceAll('"forgot-password ', `"${programName()} `)
}

function summary(found: readonly Finding[]): string {
  const count = (level: Finding['level']) => found.filter((each) => each.level === level).length
  const [faults, warnings] = [count('fault'), count('warning')]
  if (faults + warnings === 0) return 'All is well.'
  return `${faults} ${faults === 1 ? 'fault' : 'faults'}, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`
}
