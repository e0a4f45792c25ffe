import { parse as parseYaml } from 'yaml'
import type { z } from 'zod'
import { nearest } from '../nearest.ts'
import type { Parsed } from './config.ts'
import { keyNamesAt } from './keys.ts'
import type { Path } from './problems.ts'
import { schema } from './schema.ts'
import { isObject, type Source, valueAt } from './source.ts'

type Issue = z.core.$ZodIssue

// Each round takes away what is wrong, and in the next the objects that lack a required key for it.
const mostRounds = 5

/**
 * The values as the schema reads them. What is wrong is reported and left out, so that the checks that
 * look at several keys can report what else is; `null` when too little is left for that.
 */
export function check(source: Source): Parsed | null {
  let result = schema.safeParse(source.value)
  if (!result.success && retype(source, result.error.issues)) {
    result = schema.safeParse(source.value)
  }
  for (const issue of issuesOf(result, source)) report(source, issue)
  for (let round = 0; round < mostRounds && !result.success; round += 1) {
    for (const path of issuesOf(result, source).flatMap(pathsOf)) leaveOut(source.value, path)
    result = schema.safeParse(source.value)
  }
  return result.success ? result.data : null
}

/** What is wrong; where a value may be text or an object and is an object, what is wrong within it. */
function issuesOf(result: ReturnType<typeof schema.safeParse>, source: Source): Issue[] {
  const open = (issue: Issue): Issue[] => {
    if (issue.code !== 'invalid_union' || !isObject(valueAt(source.value, issue.path)))
      return [issue]
    const within = issue.errors.find((each) => each.every((inner) => isWithin(inner)))
    if (within === undefined) return [issue]
    return within.flatMap((inner) => open({ ...inner, path: [...issue.path, ...inner.path] }))
  }
  return (result.error?.issues ?? []).flatMap(open)
}

function isWithin({ code, path }: Issue): boolean {
  return path.length > 0 || code === 'unrecognized_keys'
}

function report(source: Source, issue: Issue): void {
  if (issue.code === 'unrecognized_keys') {
    for (const path of pathsOf(issue)) {
      const near = nearest(String(path.at(-1)), keyNamesAt(issue.path))
      const hint = near === null ? '' : ` (did you mean "${near}"?)`
      source.problems.add(source.keyPlace(path), path, `unknown key${hint}`)
    }
  } else if (issue.code === 'invalid_key') {
    const rule = issue.issues[0]?.message ?? issue.message
    source.problems.add(source.keyPlace(issue.path), issue.path, rule)
  } else source.refuse(issue.path, rule(issue, valueAt(source.value, issue.path)))
}

function rule(issue: Issue, value: unknown): string {
  if (value === undefined) return 'is required'
  if (issue.code !== 'invalid_type' || issue.message.startsWith('must ')) return issue.message
  return `must be ${kinds[issue.expected] ?? issue.expected}`
}

const kinds: Readonly<Record<string, string>> = {
  object: 'keys and values',
  record: 'keys and values',
  array: 'a list',
  string: 'text',
}

function pathsOf(issue: Issue): Path[] {
  if (issue.code !== 'unrecognized_keys') return [issue.path]
  return issue.keys.map((key) => [...issue.path, key])
}

function leaveOut(value: unknown, path: Path): void {
  const holder = valueAt(value, path.slice(0, -1))
  const key = String(path.at(-1))
  if (isObject(holder) && Object.hasOwn(holder, key)) delete holder[key]
  // What is required and missing, or stands in a list, goes with what holds it.
  else if (path.length > 1) leaveOut(value, path.slice(0, -1))
}

/**
 * A value from the environment is text until the schema says that it wants something else: then
 * `3000`, `true` or `[en, fr]` is read as YAML reads it.
 */
function retype(source: Source, issues: readonly Issue[]): boolean {
  let isChanged = false
  for (const { path } of issues.filter((issue) => source.isTextual(issue.path))) {
    const holder = valueAt(source.value, path.slice(0, -1)) as Record<PropertyKey, unknown>
    const key = path.at(-1) ?? ''
    const text = holder[key]
    if (typeof text !== 'string') continue
    try {
      holder[key] = parseYaml(text)
      isChanged = true
    } catch {
      // Not YAML: the schema's own words about the text are the clearer ones.
    }
  }
  return isChanged
}
