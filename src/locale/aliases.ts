import { type Node, visit } from 'yaml'

/** What is wrong, and where it begins. */
interface AliasFault {
  readonly text: string
  readonly offset: number
}

/**
 * The first alias of a language file, or `null`. None is followed: a few lines of them can stand for more texts than
 * a machine can hold, or for one without end.
 */
export function aliasFault(document: { readonly contents: Node | null }): AliasFault | null {
  let fault: AliasFault | null = null
  visit(document.contents, {
    Alias(_, { source, range }) {
      const text = `*${source} must be written out: a text is never taken from another place`
      fault = { text, offset: range?.[0] ?? 0 }
      return visit.BREAK
    },
  })
  return fault
}
