import { truncates } from 'bcryptjs'
import { foldAscii } from '../address.ts'
import type { Config } from '../config/config.ts'
import { bcryptBytes, type PasswordContext, type PasswordProblem } from './passwords.ts'

// A local part or site name shorter than this occurs in honest passwords by chance.
const shortestTellingWord = 4

/** The first rule that a normalized password breaks, or `null`; the list of common ones is looked up elsewhere. */
export function checkPassword(
  password: string,
  rules: Config['password'],
  context: PasswordContext,
): PasswordProblem | null {
  if (password === '') return { reason: 'password-missing' }
  // A NUL ends the text for some hash functions; a lone surrogate has no UTF-8 form.
  if (/\p{Cc}/u.test(password) || !password.isWellFormed()) return { reason: 'password-characters' }
  const length = [...password].length
  if (length < rules.minLength) {
    return { reason: 'password-too-short', values: { min: rules.minLength } }
  }
  if (length > rules.maxLength) {
    return { reason: 'password-too-long', values: { max: rules.maxLength } }
  }
  if (rules.hash === 'bcrypt' && truncates(password)) {
    return { reason: 'password-too-many-bytes', values: { max: bcryptBytes } }
  }
  if (!hasKinds(password, rules.composition)) return { reason: 'password-composition' }
  return checkContext(password, context)
}

/** Which characters each kind of `password.composition` means, in any script. */
const kinds = {
  lower: /\p{Ll}/u,
  upper: /\p{Lu}/u,
  digit: /\p{Nd}/u,
  special: /[^\p{L}\p{M}\p{N}\s]/u,
}

function hasKinds(password: string, composition: Config['password']['composition']): boolean {
  return composition === 'none' || composition.every((kind) => kinds[kind].test(password))
}

function checkContext(password: string, context: PasswordContext): PasswordProblem | null {
  const text = plain(password)
  const email = plain(context.email)
  const local = email.slice(0, email.lastIndexOf('@'))
  const site = plain(context.siteName)
  if (text.includes(email) || isLittleMoreThan(text, local)) {
    return { reason: 'password-contains-email' }
  }
  if (site.length >= shortestTellingWord && text.includes(site)) {
    return { reason: 'password-contains-site' }
  }
  return null
}

/** Whether a word makes up the better part of a password: `alicealice2026` of `alice`. */
function isLittleMoreThan(password: string, word: string): boolean {
  if (word.length < shortestTellingWord) return false
  return password.replaceAll(word, '').length < password.length / 2
}

function plain(text: string): string {
  return foldAscii(text).replace(/\s/g, '')
}
