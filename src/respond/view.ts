import type { Config } from '../config/config.ts'
import type { Locale, Values } from '../locale/locale.ts'
import { bcryptBytes } from '../password/passwords.ts'
import type { ErrorPage, Problem } from '../steps/outcome.ts'

/** One language on offer, as a link to this same page in it. */
interface LanguageLink {
  readonly tag: string
  readonly name: string
  readonly direction: string
  readonly href: string
  readonly isCurrent: boolean
}

/** What every page's template can print, as `it.<name>`; what a visitor sent is under `it.data` alone. */
export interface View {
  readonly step: string
  readonly reason: string
  readonly title: string
  readonly lang: string
  readonly dir: string
  /** What stands between two sentences of the language. */
  readonly space: string
  readonly site: { readonly name: string; readonly loginUrl: string; readonly supportUrl: string }
  readonly assets: { readonly style: string; readonly script: string; readonly logo: string }
  /** Where forms are sent. */
  readonly action: string
  readonly languages: readonly LanguageLink[]
  readonly problems: readonly ShownProblem[]
  /** The text of a key, to be escaped. */
  readonly t: (key: string, values?: Values) => string
  /** The text of a key as HTML, with its values escaped and set apart. */
  readonly html: (key: string, values?: Values) => string
  readonly data: Readonly<Record<string, unknown>>
}

/** A problem as the summary and the field show it, in the same words. */
interface ShownProblem {
  readonly field: string
  readonly text: string
}

/** Which of an error page's texts tells what to do. */
export function errorText({ reason, retryAfterMs }: ErrorPage): 'text' | 'today' {
  return reason === 'code-locked' && retryAfterMs !== undefined ? 'today' : 'text'
}

export function showProblems(problems: readonly Problem[], locale: Locale): ShownProblem[] {
  return problems.map((problem) => ({
    field: problem.field ?? '',
    text: locale.text(`reason.${problem.reason}`, problem.values && plural(problem.values)),
  }))
}

/** What the reset page says about the policy: made from the rules, so that it cannot differ from them. */
export function passwordHints(rules: Config['password'], locale: Locale): string[] {
  const hints = [locale.text('reset.hint.length', plural({ min: rules.minLength }))]
  if (rules.composition !== 'none') {
    const kinds = rules.composition.map((kind) => locale.text(`reset.hint.${kind}`))
    const list = new Intl.ListFormat(locale.tag, { type: 'conjunction' }).format(kinds)
    hints.push(locale.text('reset.hint.composition', { kinds: list }))
  }
  return hints
}

/** The policy in the words of password managers (Apple's passwordrules attribute). */
export function passwordRules(rules: Config['password']): string {
  const required = rules.composition === 'none' ? [] : rules.composition
  const longest = rules.hash === 'bcrypt' ? Math.min(bcryptBytes, rules.maxLength) : rules.maxLength
  return [
    `minlength: ${rules.minLength}`,
    `maxlength: ${longest}`,
    ...required.map((kind) => `required: ${kind}`),
    'allowed: unicode',
  ].join('; ')
}

/** The figure that decides the plural is also `{count}`. */
function plural(values: Readonly<Record<string, number>>): Values {
  const [count] = Object.values(values)
  return count === undefined ? values : { ...values, count }
}
