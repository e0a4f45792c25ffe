// Longer texts are guessed no sooner than their beginning, and looking at all of one may take seconds.
const longestLooked = 72

let factory: Promise<Guesser> | null = null

interface Guesser {
  check(password: string, inputs: string[]): { readonly score: number }
}

/**
 * Whether a password is guessed too soon, by zxcvbn's estimate: dictionaries, dates, keyboard paths,
 * repetitions, and the words given.
 *
 * @param least The least score that is enough, 1 to 4: 10^3, 10^6, 10^8 or 10^10 guesses.
 */
export async function isGuessable(
  password: string,
  words: readonly string[],
  least: number,
): Promise<boolean> {
  factory ??= load()
  const { score } = (await factory).check(password.slice(0, longestLooked), [...words])
  return score < least
}

// Loaded at the first use and in a worker: 29 MB that most processes need seldom.
async function load(): Promise<Guesser> {
  const [{ ZxcvbnFactory }, { dictionary, adjacencyGraphs }] = await Promise.all([
    import('@zxcvbn-ts/core'),
    import('@zxcvbn-ts/language-common'),
  ])
  return new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs, maxLength: longestLooked })
}
