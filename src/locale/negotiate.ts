// Old codes that browsers and user tables still hold; Intl knows the others.
const aliases: Record<string, string> = { no: 'nb' }
// A header longer than any honest one is read no further.
const longestHeader = 1000

/**
 * The offered language that serves a wish best, or `null`: the same language in the same script, and among
 * those the same region, else the one without a region, else any (RFC 4647 lookup, with CLDR's likely subtags).
 * `zh-TW` is `zh-Hant` and never `zh-Hans`; `fr-CA` is `fr`; `pt` is `pt-BR`.
 */
export function match(wish: string, offered: readonly string[]): string | null {
  const wanted = maximize(wish)
  if (wanted === null) return null
  let best: string | null = null
  let rank = 0
  for (const tag of offered) {
    const candidate = maximize(tag)
    if (candidate?.language !== wanted.language || candidate.script !== wanted.script) continue
    const isSameRegion = candidate.region === wanted.region
    const isGeneral = new Intl.Locale(tag).region === undefined
    const candidateRank = isSameRegion ? 3 : isGeneral ? 2 : 1
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
