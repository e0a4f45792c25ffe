import { etaFiles } from '../ejected.ts'
import { ForgotError } from '../errors.ts'
import { builtInTemplates, faultOf } from '../templates.ts'
import type { Stage } from './stage.ts'
import { shownPath } from './texts.ts'

/** What is wrong with a configuration, a language or a theme, a line for each fault with its place. */
export function describeFaults(error: unknown): readonly string[] {
  if (error instanceof ForgotError) return error.problems.map(shorten)
  return [shorten(error instanceof Error ? error.message : String(error))]
}

/**
 * Why something cannot be shown: the templates that cannot be compiled, each with its line, else what the
 * one has thrown.
 *
 * @param file The template of what was to be shown, named from its folder.
 */
export function describeTemplateFaults(
  error: unknown,
  file: string,
  { templates, config }: Pick<Stage, 'templates' | 'config'>,
): readonly string[] {
  const folders = config.templates === null ? [] : [config.templates]
  const files = new Set([...folders, builtInTemplates].flatMap((folder) => etaFiles(folder)))
  const broken = [...files].flatMap((each) => templates.syntaxFault(each) ?? [])
  if (broken.length > 0) return broken.map(shorten)
  const path = templates.has(file) ? templates.find(file) : file
  return [shorten(faultOf(error, path))]
}

/** With its file as the owner knows it. */
function shorten(fault: string): string {
  const [, path, rest] = /^(\/[^:]+)(:[\s\S]*)$/.exec(fault) ?? []
  return path === undefined || rest === undefined ? fault : `${shownPath(path)}${rest}`
}
