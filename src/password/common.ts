let words: ReadonlySet<string> | null = null

/**
 * Whether a password is among the 49,000 that people choose most, is one of them over and over, or is a
 * run such as `aaaaaaaa` or `abcdefgh` (NIST SP 800-63B-4 §3.1.1.2: commonly used, expected values).
 */
export async function isCommon(password: string): Promise<boolean> {
  const text = password.toLowerCase()
  words ??= await load()
  const unit = repeatedUnit(text)
  return words.has(text) || unit.length < 4 || words.has(unit) || isSequence(text)
}

// Loaded at the first use and in a worker: 1.5 MB that most processes need seldom or never.
async function load(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  return new Set((dictionary['passwords-common'] as string[]).map((word) => word.toLowerCase()))
}

/** `ab` of `ababa`: the shortest text that, repeated and cut, is the whole. */
function repeatedUnit(text: string): string {
  const characters = [...text]
  for (let length = 1; length < characters.length; length += 1) {
    if (characters.every((character, index) => character === characters[index % length])) {
      return characters.slice(0, length).join('')
    }
  }
  return text
}

function isSequence(text: string): boolean {
  const points = [...text].map((character) => character.codePointAt(0) ?? 0)
  const step = (points[1] ?? 0) - (points[0] ?? 0)
  const next = (point: number) => (point === 57 && step === 1 ? 48 : point + step)
  return (
    Math.abs(step) === 1 &&
    points.every((point, index) => index === 0 || point === next(points[index - 1] ?? 0))
  )
}
