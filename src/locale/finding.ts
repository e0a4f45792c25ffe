/** What a language is held against. */
export type Rule =
  | 'name'
  | 'syntax'
  | 'duplicate'
  | 'meta'
  | 'source'
  | 'textless'
  | 'unknown'
  | 'missing'
  | 'same'
  | 'untranslated'
  | 'order'
  | 'placeholders'
  | 'plural'
  | 'quotes'
  | 'markup'
  | 'blanks'
  | 'bidi'
  | 'script'
  | 'length'
  | 'head'
  | 'preheader'
  | 'tags'
  | 'elements'
  | 'size'
  | 'render'
  | 'leftover'

export type Level = 'fault' | 'warning'

/** What is wrong with a text or a mail, before it is known where that stands. */
export interface Fault {
  readonly rule: Rule
  readonly level: Level
  /** What is wrong, or what to do. */
  readonly text: string
}

/** Where something begins, counted from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** What is wrong in one place of a language file or of a mail. */
export interface Finding extends Fault, Place {
  readonly file: string
  /** The text's key, such as `form.title`; of a mail, which part of it; `''` for the file as a whole. */
  readonly key: string
}

/** The beginning of a file. */
export const start: Place = { line: 1, column: 1 }

/** A finding in one line. */
export function showFinding({ file, line, column, key, text }: Finding): string {
  return `${file}:${line}:${column} ${key === '' ? '' : `${key}: `}${text}`
}

/** Where an offset is in a text. */
export function placeAt(text: string, offset: number): Place {
  const lines = text.slice(0, Math.max(0, offset)).split('\n')
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }
}
