import { mailKinds } from '../mail/message.ts'
import { type Choice, linkTo, mailName, parts, settings, themes, widths } from './choice.ts'
import { sandboxes } from './frame.ts'
import type { ShownMail, ShownPage, Stage } from './stage.ts'
import { originOf } from './texts.ts'

interface Option {
  readonly value: string
  readonly label: string
  readonly isCurrent: boolean
}

interface Selector {
  readonly name: string
  readonly label: string
  /** With its heading; `''` for none. */
  readonly groups: readonly (readonly [heading: string, options: readonly Option[]])[]
}

/** A page or mail in a frame. */
interface Frame {
  readonly name: string
  readonly src: string
  /** Where it is shown alone. */
  readonly href: string
  readonly sandbox: string
  /** The language it is in, where that is another; else `null`. */
  readonly fallback: string | null
}

interface Neighbour {
  /** As `rel` says it: `prev` or `next`. */
  readonly relation: string
  readonly name: string
  readonly href: string
}

const labels: Readonly<Record<string, string>> = {
  html: 'HTML',
  bare: 'HTML without <style>',
  text: 'Text',
  source: 'Source',
  headers: 'Headers',
  own: 'As configured',
  link: 'Links alone',
  code: 'Codes alone',
  all: 'Everything on',
  light: 'Light',
  dark: 'Dark',
  'en-XA': 'accented and longer',
  'ar-XB': 'right to left',
}

/** The selectors of the page, each with what is chosen. */
export function selectorsOf(stage: Stage, choice: Choice): readonly Selector[] {
  const isMail = choice.show.startsWith(mailName(''))
  const select = (name: keyof Choice, label: string, values: readonly string[], unit = '') => ({
    name,
    label,
    groups: [['', optionsOf(values, String(choice[name]), (each) => `${labelOf(each)}${unit}`)]],
  })
  const language = optionsOf(
    stage.texts.all.map(({ tag }) => tag),
    choice.lang,
    (tag) => languageLabel(stage, tag),
  )
  const selectors = [
    ...(choice.isSheet
      ? []
      : [{ name: 'show', label: 'Page or mail', groups: showGroups(stage, choice) }]),
    { name: 'lang', label: 'Language', groups: [['', language]] },
    select('theme', 'Theme', themes),
    ...(choice.isSheet ? [] : [select('width', 'Width', widths, ' px')]),
    select('settings', 'Settings', settings),
    ...(isMail && !choice.isSheet ? [select('part', 'Part', parts)] : []),
  ]
  return selectors as readonly Selector[]
}

/** Every page and mail in a small frame. */
export function sheetOf(stage: Stage, choice: Choice): readonly Frame[] {
  return stage.names.map((name) =>
    frameFor(stage, { ...choice, show: name, width: '320', part: 'html' }),
  )
}

/** The frame of what is chosen. */
export function frameFor(stage: Stage, choice: Choice): Frame {
  const alone = { ...choice, isSheet: false }
  return {
    name: choice.show,
    src: linkTo(alone, {}, '/frame'),
    href: linkTo(alone),
    fallback: stage.fallbackOf(choice.show, choice.lang),
    sandbox: sandboxes[choice.show.startsWith(mailName('')) ? 'mail' : 'page'],
  }
}

/** The ones before and after what is chosen, where there are any. */
export function neighboursOf({ names }: Stage, choice: Choice): readonly Neighbour[] {
  const index = names.indexOf(choice.show)
  const near = { prev: names[index - 1], next: names[index + 1] }
  return Object.entries(near).flatMap(([relation, name]) =>
    name === undefined ? [] : [{ relation, name, href: linkTo(choice, { show: name }) }],
  )
}

/** What of a mail is shown as it is written; `null` when it is shown in a frame. */
export function plainPart({ message, source }: ShownMail, part: Choice['part']): string | null {
  if (part === 'text') return message.text
  if (part === 'source') return source
  if (part === 'headers') return source.split(/\r?\n\r?\n/)[0] ?? ''
  return null
}

const kilobyte = 1024
const goalBytes = 6 * kilobyte

/** How large it is, and how large it may be. */
export function sizeOf({ kind, bytes }: ShownPage | ShownMail): object {
  const show = (count: number) => `${(count / kilobyte).toFixed(1)} KB`
  // It shows no more of a mail than that, and hides the rest behind a link.
  const limit = kind === 'mail' ? '; Gmail clips at 102 KB' : ''
  return {
    bytes,
    goal: goalBytes,
    isOver: bytes > goalBytes,
    text: `${show(bytes)} of ${show(goalBytes)}${limit}`,
  }
}

function showGroups({ samples }: Stage, { show }: Choice): Selector['groups'] {
  const pages = Map.groupBy(samples, ({ outcome }) => outcome.page)
  const mails = mailKinds.map(mailName)
  return [
    ...[...pages].map(([page, states]) => {
      const names = states.map(({ name }) => name)
      return [page, optionsOf(names, show, (name) => name)] as const
    }),
    ['mails', optionsOf(mails, show, (name) => name)],
  ]
}

function optionsOf(
  values: readonly string[],
  current: string,
  label: (value: string) => string,
): readonly Option[] {
  return values.map((value) => ({ value, label: label(value), isCurrent: value === current }))
}

function labelOf(value: string): string {
  return labels[value] ?? value
}

function languageLabel({ texts }: Stage, tag: string): string {
  const locale = texts.all.find((each) => each.tag === tag)
  const missing = locale === undefined ? 0 : texts.missing(locale).length
  const isPseudo = originOf(tag) !== tag
  const notes = [
    ...(isPseudo || texts.isOffered(tag) ? [] : ['not on offer']),
    ...(missing === 0 ? [] : [`${missing} missing`]),
  ]
  const note = notes.length === 0 ? '' : ` (${notes.join(', ')})`
  return `${tag} – ${labels[tag] ?? locale?.name ?? tag}${note}`
}
