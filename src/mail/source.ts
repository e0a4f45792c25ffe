import { parse } from 'yaml'
import { type Place, placeAt } from '../locale/finding.ts'

/** A part of a mail's template: what is read of it, and where it begins. */
export interface MailPart {
  readonly name: 'subject' | 'preheader' | 'body'
  readonly text: string
  /** The Eta tags as they stand, but for the labels of buttons. */
  readonly tags: readonly string[]
  /** Texts between the markup, and the labels of buttons, each with its place. */
  readonly segments: readonly Segment[]
  readonly place: Place
  /** Where a piece of the part stands. */
  find(piece: string): Place
}

export interface Segment {
  /** With `{}` for each Eta tag. */
  readonly text: string
  readonly place: Place
}

const headPattern = /^---\r?\n(.*?)\r?\n---\r?\n/s
const etaTag = /<%[\s\S]*?%>/g
const styleSheet = /<style\b[^>]*>[\s\S]*?<\/style>/gi
const element = /<\/?[a-z][^<>]*>|<!--[\s\S]*?-->/gi
const label = /(?<=\bbutton\(\s*)(['"])((?:\\.|(?!\1).)*)\1/g

/** The parts that a mail's template has; a head that cannot be read has none. */
export function mailParts(source: string): MailPart[] {
  const [whole = '', yaml = ''] = headPattern.exec(source) ?? []
  const head = readHead(yaml)
  const lines = (['subject', 'preheader'] as const).flatMap((name) => {
    const text = head[name]
    const offset = source.search(new RegExp(`^${name}\\s*:`, 'm'))
    return typeof text === 'string' ? [toPart(name, text, source, offset)] : []
  })
  return [...lines, toPart('body', source.slice(whole.length), source, whole.length)]
}

/** The elements of a part, as they stand, with `{}` for each Eta tag in their attributes. */
export function elementsOf({ text }: Pick<MailPart, 'text'>): string[] {
  return text.replace(etaTag, '{}').match(element) ?? []
}

function readHead(yaml: string): Readonly<Record<string, unknown>> {
  try {
    return (parse(yaml) ?? {}) as Record<string, unknown>
  } catch {
    return {}
  }
}

function toPart(name: MailPart['name'], text: string, source: string, offset: number): MailPart {
  const isBody = name === 'body'
  const place = placeAt(source, offset)
  // A line of the head is YAML, in which a piece may be spelt in other ways.
  const find = (piece: string) => {
    const at = source.indexOf(piece, offset)
    return at === -1 ? place : placeAt(source, at)
  }
  const tags = (text.match(etaTag) ?? []).map((tag) => tag.replace(label, "''"))
  const segments = segmentsOf(text).map((each) => ({
    text: each.text,
    place: isBody ? placeAt(source, offset + each.offset) : place,
  }))
  return { name, text, tags, segments, place, find }
}

function segmentsOf(text: string): { text: string; offset: number }[] {
  // What is masked, with letters that no language has, keeps its length, and everything else its place.
  const mask = (sign: string) => (match: string) => sign.repeat(match.length)
  const masked = text
    .replace(styleSheet, mask('\ue001'))
    .replace(etaTag, mask('\ue000'))
    .replace(element, mask('\ue001'))
  const between = [...masked.matchAll(/[^\ue001]+/g)].map(([part], index, all) => ({
    text: part.replaceAll(/\ue000+/g, '{}').trim(),
    offset: (all[index]?.index ?? 0) + part.search(/[^\s\ue000]/),
  }))
  const labels = [...text.matchAll(label)].map(({ 2: inner = '', index }) => ({
    text: inner,
    offset: index,
  }))
  return [...between, ...labels].filter((segment) => /\p{L}/u.test(segment.text))
}
