// Old codes that browsers and user tables still hold; Intl knows the others.
const aliases: Record<string, string> = { no: 'nb' }
// A header longer than any honest one is read no further.
const longestHeader = 1000

/** A language on offer, with what CLDR takes for granted about it. */
export interface Offered {
  readonly tag: string
  readonly likely: Intl.Locale
  /** Whether the tag itself names a region. */
  readonly isRegional: boolean
}

/** A tag as {@link match} compares it; `null` when it is no language. */
export function offer(tag: string): Offered | null {
  // With an extension, or subtags of somebody's own, it has no name to be chosen by.
  const likely = /-\w-/.test(tag) ? null : maximize(tag)
  return likely && { tag, likely, isRegional: new Intl.Locale(tag).region !== undefined }
}

/**
 * The offered language that serves a wish best, or `null`: the same language in the same script, and among
 * those the same region, else the one without a region, else any (RFC 4647 lookup, with CLDR's likely subtags).
 * `zh-TW` is `zh-Hant` and never `zh-Hans`; `fr-CA` is `fr`; `pt` is `pt-BR`.
 */
export function match(wish: string, offered: readonly Offered[]): string | null {
  const wanted = maximize(wish)
  if (wanted === null) return null
  let best: string | null = null
  let rank = 0
  for (const { tag, likely, isRegional } of offered) {
    if (likely.language !== wanted.language || likely.script !== wanted.script) continue
    const candidateRank = likely.region === wanted.region ? 3 : isRegional ? 1 : 2
    if (candidateRank > rank) [best, rank] = [tag, candidateRank]
  }
  return best
}

/** The languages of an `Accept-Language` header, the most wanted first; what is malformed is passed over. */
export function acceptedLanguages(header: string): string[] {
  return header
    .slice(0, longestHeader)
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.split(';').map((text) => text.trim())
      const quality = parameters.find((text) => text.startsWith('q='))
      return { tag, quality: quality === undefined ? 1 : Number(quality.slice(2)) }
    })
    .filter(({ tag, quality }) => tag !== '' && tag !== '*' && quality > 0)
    .sort((a, b) => b.quality - a.quality)
    .map(({ tag }) => tag)
}

function maximize(tag: string): Intl.Locale | null {
  try {
    const locale = new Intl.Locale(tag)
    const language = aliases[locale.language]
    return new Intl.Locale(locale, language === undefined ? {} : { language }).maximize()
  } catch {
    return null
  }
}
