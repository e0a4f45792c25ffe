import { readdirSync } from 'node:fs'

const all = readdirSync('locales')
  .map((file) => file.replace('.yaml', ''))
  .sort()

// The source; the widest words; marks above and below, and no blanks between words; from right to left.
const some = ['en', 'de', 'th', 'ar']

/** Whether it is the languages that `npm test` leaves out, which `npm run test:workbench` goes through. */
export const areOthers: boolean = process.env['TEST_LANGUAGES'] === 'others'

/** Those that are tried one by one: some of each kind, or all the others. Every text is read in all of them. */
export const tags: readonly string[] = all.filter((tag) => some.includes(tag) !== areOthers)
