import { readFileSync } from 'node:fs'

/** A file that cannot be read as text. */
export class TextError extends Error {
  /** Counted from 1; `null` when it is about the whole file. */
  readonly place: { readonly line: number; readonly column: number } | null

  constructor(message: string, place: TextError['place'], cause: unknown) {
    super(message, { cause })
    this.place = place
  }
}

/**
 * The text of a file, without a byte order mark.
 *
 * @throws {TextError} when it cannot be read, or is not in UTF-8.
 */
export function readText(file: string): string {
  const bytes = readBytes(file)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    // What cannot be decoded is taken for U+FFFD here.
    const [before = ''] = bytes.toString('utf8').split('\ufffd', 1)
    const lines = before.split('\n')
    const place = { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }
    throw new TextError('must be saved in the encoding UTF-8', place, cause)
  }
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new TextError(`cannot be read (${(cause as NodeJS.ErrnoException).code})`, null, cause)
  }
}
