import { isSameLanguage } from '../locale/compare.ts'
import type { Fault, Finding, Place } from '../locale/finding.ts'
import { wordsIn } from '../locale/leftovers.ts'
import { typographyFaults } from '../locale/wording.ts'
import { elementsOf, type MailPart, mailParts, type Segment } from './source.ts'

interface MailSource {
  readonly file: string
  /** What the file holds. */
  readonly source: string
  /** The language it is in. */
  readonly tag: string
  /** Whether it is the site's own: its elements, its quotes and what it prints are the site's to choose. */
  readonly isOwn: boolean
}

/**
 * What is wrong in the source of a mail in one language.
 *
 * @param english The source of the same mail in English.
 */
export function lintMail(mail: MailSource, english: string): Finding[] {
  const parts = mailParts(mail.source)
  const found: Finding[] = []
  const add = (key: string, place: Place, faults: readonly Fault[]) =>
    found.push(...faults.map((fault) => ({ file: mail.file, ...place, key, ...fault })))
  for (const original of mailParts(english)) {
    const { name } = original
    const part = parts.find((each) => each.name === name)
    if (part === undefined || part.text.trim() === '') {
      // Without a preheader a mail program shows the first words instead.
      const level = mail.isOwn && name === 'preheader' ? 'warning' : 'fault'
      add(name, { line: 1, column: 1 }, [{ rule: 'head', level, text: 'is missing' }])
      continue
    }
    for (const { place, ...fault } of markupFaults(part, original, mail)) add(name, place, [fault])
    const known = original.segments.map(({ text }) => text)
    for (const each of part.segments) add(name, each.place, segmentFaults(each, known, mail))
  }
  return found
}

function markupFaults(
  part: MailPart,
  original: MailPart,
  { isOwn }: MailSource,
): (Fault & { readonly place: Place })[] {
  const level = isOwn ? 'warning' : 'fault'
  const compare = (
    rule: 'tags' | 'elements',
    ours: readonly string[],
    theirs: readonly string[],
  ) => [
    ...without(theirs, ours).map((piece) => ({
      ...({ rule, level, place: part.place } as const),
      text: `leaves out ${piece}`,
    })),
    ...without(ours, theirs).map((piece) => ({
      ...({ rule, level, place: part.find(piece) } as const),
      text: `has ${piece}, which the English mail has not, or not as often`,
    })),
  ]
  return [
    ...compare('tags', part.tags, original.tags),
    ...compare('elements', elementsOf(part), elementsOf(original)),
  ]
}

/** Those of some pieces that are not among others, each as often as it is too many. */
function without(pieces: readonly string[], others: readonly string[]): string[] {
  const left = [...others]
  return pieces.filter((piece) => {
    const at = left.indexOf(piece)
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
}

function segmentFaults(
  { text }: Segment,
  english: readonly string[],
  { tag, isOwn }: MailSource,
): Fault[] {
  // A single word may be the same in two languages.
  const isSentence = wordsIn(text) > 1
  const isSame = isSentence && english.includes(text) && !isSameLanguage(tag, 'en')
  const wording = typographyFaults(text.replaceAll('{}', ' '), tag, isOwn)
  if (!isSame) return wording
  const untranslated = `is in English: “${text}”`
  return [
    { rule: 'untranslated', level: 'fault', text: untranslated },
    // English in a Thai mail is in the wrong script as well: once told is enough.
    ...wording.filter(({ rule }) => rule !== 'script'),
  ]
}
