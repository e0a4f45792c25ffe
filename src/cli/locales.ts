import { relative } from 'node:path'
import { loadConfig } from '../config/load.ts'
import { readLanguages } from '../languages.ts'
import { pseudoTags } from '../locale/pseudo.ts'
import {
  type Command,
  configOption,
  jsonOption,
  parse,
  print,
  printJson,
  UsageError,
} from './command.ts'
import { checkAll, describeFindings } from './locales-check.ts'
import { makeLanguage, pseudoFiles, pseudoTexts, siteFolders } from './locales-new.ts'
import { languageStats, statsTable } from './locales-stats.ts'
import { writeAll } from './locales-write.ts'

const options = {
  ...configOption,
  ...jsonOption,
  strict: { type: 'boolean' },
  to: { type: 'string' },
} as const

export const command: Command = {
  summary: 'checks texts and mails in every language, counts them, begins a new language',
  help: `forgot-password locales check [<tag>…] [--strict] [--json] [--config <file>]
forgot-password locales stats [--json] [--config <file>]
forgot-password locales new <tag> [--config <file>]
forgot-password locales pseudo [en-XA|ar-XB] [--to <folder>] [--json]

check  holds the texts and mails of each language, or of those that are named, against the English ones, renders
       every page and mail, and prints what is wrong with its file and line: what is missing or in English,
       placeholders, plural forms, quotes, scripts, lengths and more. It ends with 1 where there are faults. With
       --strict, texts that your own languages lack are faults, and warnings count too. In GitHub Actions, findings
       show at their lines.
stats  says of each language how it came about and how much of it is there, built in and your own.
new    begins a language in your own folders: the English texts with their comments, with the plural forms of the
       language, and the five mails. Nothing that is there is overwritten. To change single texts of a language
       that is there, make a file with these alone.
pseudo prints the texts of an invented language, which shows what is cut off or not translated; or writes them and
       its mails into a folder. en-XA has longer words with accents, ar-XB goes from right to left.

A tag names a language: de, pt-BR, zh-Hant.

  forgot-password locales check
  forgot-password locales check de --strict
  forgot-password locales new de
  forgot-password locales pseudo ar-XB --to /tmp/pseudo`,
  options,
  actions: ['check', 'stats', 'new', 'pseudo'],

  async run(args) {
    const { positionals, values } = parse(args, options, Number.POSITIVE_INFINITY)
    const [action, ...tags] = positionals
    if (action === 'check') return check(values, tags)
    const [tag, stray] = tags
    if (stray !== undefined) throw new UsageError(`${stray}: not expected here`)
    if (action === 'stats' && tag === undefined) {
      const stats = languageStats(readLanguages(loadConfig(values.config)))
      if (values.json === true) printJson(stats)
      else print(statsTable(stats))
      return 0
    }
    if (action === 'new' && tag !== undefined) return make(values, tag)
    if (action === 'pseudo') return pseudo(values, tag ?? pseudoTags[0])
    throw new UsageError(
      'locales: say "locales check", "locales stats", "locales new <tag>" or "locales pseudo"',
    )
  },
}

interface Values {
  readonly config?: string | undefined
  readonly json?: boolean | undefined
  readonly strict?: boolean | undefined
  readonly to?: string | undefined
}

async function check(values: Values, tags: readonly string[]): Promise<0 | 1> {
  const isStrict = values.strict === true
  const checked = await checkAll(loadConfig(values.config), tags, isStrict)
  if (values.json === true) printJson(checked)
  else print(describeFindings(checked, { areAnnotated: process.env['GITHUB_ACTIONS'] === 'true' }))
  return checked.faults > 0 || (isStrict && checked.warnings > 0) ? 1 : 0
}

function make(values: Values, tag: string): 0 {
  const folders = siteFolders(values.config)
  const { english } = readLanguages(folders.config)
  const files = makeLanguage(tag, folders, english).map((file) => relative(process.cwd(), file))
  if (values.json === true) printJson({ tag, files })
  else {
    const unseen = folders.hasFile
      ? ''
      : 'Languages are found beside a config.yaml: make one with "forgot-password init".\n'
    print(`${files.join('\n')}
${unseen}Translate what is right of the keys, and the mails. Look at them with "forgot-password preview", and
at what is left to do with "forgot-password locales check ${tag}".
`)
  }
  return 0
}

function pseudo({ to, config, json }: Values, typed: string): 0 {
  const tag = pseudoTags.find((each) => each === typed)
  if (tag === undefined) {
    throw new UsageError(`locales pseudo: ${typed} is none of ${pseudoTags.join(', ')}`)
  }
  const { english } = readLanguages(loadConfig(config))
  const files = pseudoFiles(tag, english, to ?? '')
  const [texts] = files.values()
  const paths = [...files.keys()]
  if (to !== undefined) writeAll(files)
  if (json === true) {
    printJson({
      tag,
      ...(to === undefined ? { texts: pseudoTexts(tag, english) } : { files: paths }),
    })
  } else print(to === undefined ? (texts ?? '') : `${paths.join('\n')}\n`)
  return 0
}
