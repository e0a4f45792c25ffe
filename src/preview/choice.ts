import { field, has, type ServerRequest } from '../action.ts'

/** Where the preview is. */
export const previewPath = '/dev/preview'

export const themes = ['light', 'dark'] as const
export const widths = ['320', '600', '1280'] as const
/** What of a mail: `bare` is without its `<style>`, which is what Gmail leaves to some of its readers. */
export const parts = ['html', 'bare', 'text', 'source', 'headers'] as const
/** What is switched on: `own` is what the configuration says. */
export const settings = ['own', 'link', 'code', 'all'] as const

/** What somebody wants to look at: all of it stands in the address. */
export interface Choice {
  /** The name of a page's sample, or {@link mailName}. */
  readonly show: string
  /** BCP 47. */
  readonly lang: string
  readonly theme: (typeof themes)[number]
  /** CSS pixels. */
  readonly width: (typeof widths)[number]
  readonly part: (typeof parts)[number]
  readonly settings: (typeof settings)[number]
  /** Whether every text tells its key. */
  readonly hasKeys: boolean
  /** Whether all of one language is shown at once. */
  readonly isSheet: boolean
}

/** What a mail is called where pages have the names of their samples. */
export function mailName(kind: string): string {
  return `mail-${kind}`
}

/** What a request asks for; what it does not say, or says wrongly, is the default. */
export function readChoice(
  request: ServerRequest,
  defaults: Pick<Choice, 'show' | 'lang'>,
): Choice {
  const oneOf = <T extends string>(name: string, values: readonly [T, ...T[]]): T =>
    values.find((value) => value === field(request, name)) ?? values[0]
  return {
    show: field(request, 'show') || defaults.show,
    lang: field(request, 'lang') || defaults.lang,
    theme: oneOf('theme', themes),
    width: oneOf('width', widths),
    part: oneOf('part', parts),
    settings: oneOf('settings', settings),
    hasKeys: has(request, 'keys'),
    isSheet: has(request, 'sheet'),
  }
}

/** The fields that ask for a choice, in the order of the page's selectors. */
export function fieldsOf(choice: Choice): readonly (readonly [name: string, value: string])[] {
  const { show, lang, theme, width, part, settings: switched, hasKeys, isSheet } = choice
  const all = { show, lang, theme, width, part, settings: switched }
  const chosen = Object.entries(all).filter(([, value]) => !isDefault(value))
  return [
    ...chosen,
    ...(hasKeys ? [['keys', '1'] as const] : []),
    ...(isSheet ? [['sheet', '1'] as const] : []),
  ]
}

/** The address of a choice below the preview; what is left out is as it was. */
export function linkTo(choice: Choice, changes: Partial<Choice> = {}, path = ''): string {
  const query = new URLSearchParams(fieldsOf({ ...choice, ...changes }).map(([...pair]) => pair))
  return `${previewPath}${path}?${query}`
}

const firsts: readonly string[] = [themes[0], widths[0], parts[0], settings[0]]

function isDefault(value: string): boolean {
  return firsts.includes(value)
}
