import type { Fault, Level, Rule } from './finding.ts'
import { scriptFault } from './scripts.ts'

const fault = (rule: Rule, text: string, level: Level = 'fault'): Fault => ({ rule, level, text })

/**
 * What is wrong with the wording of a text, whatever it says.
 *
 * @param isOwn Whether it is the site's own, whose quotes are its to choose.
 */
export function wordingFaults(text: string, tag: string, isOwn: boolean): Fault[] {
  return [
    ...typographyFaults(text, tag, isOwn),
    ...(/[<>]|&#?\w+;/.test(text) ? [fault('markup', 'must be text without markup')] : []),
    ...(/^\s|\s$/.test(text) ? [fault('blanks', 'has a blank at an end')] : []),
  ]
}

/** The same of a text between markup. */
export function typographyFaults(text: string, tag: string, isOwn: boolean): Fault[] {
  const [quote] = text.match(/['"]/) ?? []
  const script = scriptFault(text, tag)
  return [
    ...(quote === undefined
      ? []
      : [
          fault(
            'quotes',
            `has a straight ${quote}: use the marks of the language, such as ’ or “”`,
            isOwn ? 'warning' : 'fault',
          ),
        ]),
    ...(isBidiBalanced(text)
      ? []
      : [fault('bidi', 'begins or ends a direction that it does not end or begin')]),
    ...(script === null ? [] : [fault('script', script)]),
  ]
}

// Embeddings and overrides end with one character, isolates with another (UAX #9 §2).
const bidiEnds: Readonly<Record<string, string>> = {
  '\u202a': '\u202c',
  '\u202b': '\u202c',
  '\u202d': '\u202c',
  '\u202e': '\u202c',
  '\u2066': '\u2069',
  '\u2067': '\u2069',
  '\u2068': '\u2069',
}

function isBidiBalanced(text: string): boolean {
  const open: (string | undefined)[] = []
  for (const control of text.match(/[\u202a-\u202e\u2066-\u2069]/g) ?? []) {
    const end = bidiEnds[control]
    if (end !== undefined) open.push(end)
    else if (open.pop() !== control) return false
  }
  return open.length === 0
}

const mostGrowth = 2.5
// Short words grow most, and have room.
const shortLength = 10

/** That a text is so much longer than the English one that it may not fit, or says more. */
export function lengthFault(text: string, english: string): Fault[] {
  const [length, original] = [lengthOf(text), lengthOf(english)]
  if (length <= mostGrowth * Math.max(shortLength, original)) return []
  const message = `has ${length} characters where the English text has ${original}`
  return [fault('length', message, 'warning')]
}

/** How many characters a text has, as people count them. */
export function lengthOf(text: string): number {
  return [...new Intl.Segmenter().segment(text)].length
}
