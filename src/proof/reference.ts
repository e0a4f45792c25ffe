import { randomInt } from 'node:crypto'

// Without 0 O, 1 I L and U (read as V): a reference is read aloud and typed from paper.
const letters = 'ABCDEFGHJKMNPQRSTVWXYZ'
const alphabet = `23456789${letters}`
const length = 8
// Normalizing takes time that grows with the square of the length.
const longestTyped = 64

/**
 * A reference number of 8 characters: it tells which of several mails a page belongs to, and proves
 * nothing. It begins with a letter, since its halves would change places in a right-to-left subject line
 * if it began with digits.
 */
export function newReference(): string {
  const rest = Array.from({ length: length - 1 }, () => pick(alphabet))
  return [pick(letters), ...rest].join('')
}

/** `K7Q4MZ8P` as people read it: `K7Q4-MZ8P`. */
export function showReference(reference: string): string {
  return `${reference.slice(0, length / 2)}-${reference.slice(length / 2)}`
}

/** The reference a person typed, in any case, with or without its dash; `null` when it cannot be one. */
export function readReference(typed: string): string | null {
  if (typed.length > longestTyped) return null
  const text = typed
    .normalize('NFKC')
    .replace(/[\s\p{Cf}\p{Pd}]/gu, '')
    .toUpperCase()
  return text.length === length && [...text].every((letter) => alphabet.includes(letter))
    ? text
    : null
}

function pick(characters: string): string {
  return characters.charAt(randomInt(characters.length))
}
