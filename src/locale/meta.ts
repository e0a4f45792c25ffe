import { isSameLanguage, sameKeys, sourceMark } from './compare.ts'
import type { Fault } from './finding.ts'
import type { LintOptions } from './lint.ts'
import type { PlacedFile } from './places.ts'

/** How a language file came about: by a machine, by somebody who speaks the language, checked by a second one. */
export const statuses = ['machine', 'community', 'reviewed'] as const

type KeyFault = Fault & { readonly key: string }

/** What is wrong in what a language file says about itself. */
export function metaFaults(file: PlacedFile, options: LintOptions): KeyFault[] {
  return [
    ...statusFaults(file, options),
    ...formalityFaults(file),
    ...sourceFaults(file, options),
    ...allowanceFaults(file, options),
  ]
}

function statusFaults({ meta }: PlacedFile, { isOwn }: LintOptions): KeyFault[] {
  const { status } = meta
  const isUsable = statuses.some((each) => each === status)
  if (isUsable || (status === undefined && isOwn)) return []
  const text = `must be ${statuses.slice(0, -1).join(', ')} or ${statuses.at(-1)}`
  return [{ key: '_meta.status', rule: 'meta', level: 'fault', text }]
}

function formalityFaults({ meta }: PlacedFile): KeyFault[] {
  const { formality } = meta
  if (formality === undefined || (typeof formality === 'string' && formality !== '')) return []
  const text = 'must be text that says which form of address the texts have'
  return [{ key: '_meta.formality', rule: 'meta', level: 'fault', text }]
}

function sourceFaults({ meta }: PlacedFile, { english }: LintOptions): KeyFault[] {
  const { source } = meta
  const mark = sourceMark(english)
  const key = '_meta.source'
  if (source === undefined || source === mark) return []
  // Eight digits without quotes are a number, and lose their zeros.
  if (typeof source !== 'string' || !/^[0-9a-f]{8}$/.test(source)) {
    const text = `must be 8 hex characters in quotes, such as "${mark}"`
    return [{ key, rule: 'meta', level: 'fault', text }]
  }
  const text = `the English texts have changed since; set it to "${mark}" once these follow`
  return [{ key, rule: 'source', level: 'warning', text }]
}

/** `_meta.same` lists what is the English text and right: an entry that is not the same any more goes. */
function allowanceFaults(file: PlacedFile, { english }: LintOptions): KeyFault[] {
  const { same } = file.meta
  const key = '_meta.same'
  if (same === undefined) return []
  if (!Array.isArray(same)) {
    return [{ key, rule: 'same', level: 'fault', text: 'must be a list of keys' }]
  }
  const equal = isSameLanguage(file.tag, 'en') ? [] : sameKeys(file.messages, english)
  return same
    .filter((each) => !equal.includes(String(each)))
    .map((each) => {
      const text = `${each} is not the English text: take it off the list`
      return { key, rule: 'same', level: 'fault', text }
    })
}
