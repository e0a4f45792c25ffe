// What ISO 15924 has one name for, and Unicode's letters several.
const mixtures: Readonly<Record<string, readonly string[]>> = {
  Jpan: ['Hani', 'Hira', 'Kana'],
  Kore: ['Hani', 'Hang'],
  Hans: ['Hani'],
  Hant: ['Hani'],
}

// They share the look of letters with Latin, and put blanks between words: a word in two of them is a slip.
const lookalikes = new Set(['Cyrl', 'Grek'])

// A name or a technical word has fewer; it may stand in any script.
const sentenceWords = 4

/**
 * Why a text is not in the script of its language, or `null`. English in another language of Latin letters cannot
 * be told this way, nor single Latin words in any language.
 */
export function scriptFault(text: string, tag: string): string | null {
  const script = scriptOf(tag)
  if (script === null) return null
  const plain = text.replace(/\{\w+\}|\S*[@\d]\S*/g, ' ')
  const own = new RegExp(`[${classesOf(script)}]`, 'u')
  const letters = [...plain].filter((letter) => /\p{L}/u.test(letter))
  const foreign = letters.find(
    (letter) => !own.test(letter) && !/[\p{sc=Latn}\p{sc=Zyyy}\p{sc=Zinh}]/u.test(letter),
  )
  if (foreign !== undefined) return `“${foreign}” is no letter of ${nameOf(script)}`
  if (script === 'Latn') return null
  if (lookalikes.has(script)) {
    const mixed = (plain.match(/\p{L}+/gu) ?? []).find(
      (word) => own.test(word) && /\p{sc=Latn}/u.test(word),
    )
    if (mixed !== undefined) return `“${mixed}” has letters of two scripts that look alike`
  }
  return latinFault(
    plain,
    letters.some((letter) => own.test(letter)),
  )
}

/** @param hasOwn Whether the text has letters of its own script too. */
function latinFault(text: string, hasOwn: boolean): string | null {
  const least = hasOwn ? sentenceWords : 2
  const runs = text.match(/\p{sc=Latn}{2,}(?:[\s,’-]+\p{sc=Latn}+)+/gu) ?? []
  const sentence = runs.find((run) => (run.match(/\p{sc=Latn}+/gu)?.length ?? 0) >= least)
  return sentence === undefined ? null : `“${sentence}” is in Latin letters`
}

/** `null` when it is not known, or Unicode has no letters of this name. */
function scriptOf(tag: string): string | null {
  const { script } = new Intl.Locale(tag).maximize()
  if (script === undefined) return null
  try {
    new RegExp(classesOf(script), 'u')
    return script
  } catch {
    return null
  }
}

function classesOf(script: string): string {
  return (mixtures[script] ?? [script]).map((each) => `\\p{scx=${each}}`).join('')
}

function nameOf(script: string): string {
  return new Intl.DisplayNames('en', { type: 'script' }).of(script) ?? script
}
