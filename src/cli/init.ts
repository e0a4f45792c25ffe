import { spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { keyNamesAt } from '../config/keys.ts'
import { type Command, parse, print, programName, UsageError } from './command.ts'
import { refuseToOverwrite, writeFiles } from './init-files.ts'
import { type Answers, faultOf, type Question, questions, readAnswer } from './questions.ts'

const options = {
  yes: { type: 'boolean', short: 'y' },
  set: { type: 'string', multiple: true },
} as const

export const command: Command = {
  summary: 'asks a few questions and writes a configuration into this folder',
  help: `forgot-password init [--yes] [--set <key>=<value>]…

Asks for what cannot be guessed, and writes into this folder:
  config.yaml   what you have answered, and every other key with its default in comments
  .env          the secrets: one that links are made with, and passwords; readable by you alone
  .env.example  the same without the secrets, to be kept with your code
  .gitignore    so that neither secrets nor data are, unless there is one
Nothing that is there is overwritten. With --yes nothing is asked; --set answers one key in advance.

  forgot-password init
  forgot-password init --yes --set site.name=Riverside --set site.url=https://riverside.example \\
    --set users.url=sqlite:/var/lib/site/users.db --set smtp.host=mail.riverside.example`,
  options,

  async run(args) {
    const { values } = parse(args, options)
    refuseToOverwrite()
    const given = readGiven(values.set ?? [])
    const answers = values.yes === true ? defaults(given) : await ask(given)
    print(`${writeFiles(answers).join('\n')}\n${next()}`)
    return 0
  },
}

const next = () => `
Next:
  ${programName()} preview    shows every page and mail, in every language
  ${programName()} doctor     tells what is missing, and what to do about it
  ${programName()} serve      runs the server
`

/** @throws {UsageError} for a key or a value that the configuration cannot take. */
function readGiven(settings: readonly string[]): Map<string, string> {
  const given = new Map<string, string>()
  for (const setting of settings) {
    const [, key = '', value = ''] = /^([\w.]+)=(.*)$/s.exec(setting) ?? []
    const names = key.split('.')
    if (!keyNamesAt(names.slice(0, -1)).includes(names.at(-1) ?? '')) {
      // What follows the = may be a secret.
      throw new UsageError(
        `--set ${key || 'key=value'}: must be a key of the configuration, = and a value`,
      )
    }
    const fault = faultOf(key, readAnswer(key, value))
    if (fault !== null) throw new UsageError(`--set ${key}: ${fault}`)
    given.set(key, value)
  }
  return given
}

function defaults(given: Answers): Answers {
  const answers = new Map(given)
  for (const { key, fallback, isAsked } of questions) {
    if (!answers.has(key) && (isAsked?.(answers) ?? true)) answers.set(key, fallback)
  }
  return answers
}

async function ask(given: Answers): Promise<Answers> {
  const answers = new Map(given)
  const terminal = createInterface({ input: process.stdin })
  // A list of lines may come before the questions, from a file.
  const lines = terminal[Symbol.asyncIterator]()
  try {
    for (const question of questions) {
      const { key, isAsked } = question
      if (answers.has(key) || isAsked?.(answers) === false) continue
      answers.set(key, await askOne(lines, question))
    }
    return answers
  } finally {
    terminal.close()
  }
}

async function askOne(lines: AsyncIterator<string>, question: Question): Promise<string> {
  const { key, text, fallback, isSecret = false } = question
  for (;;) {
    print(`${text}${fallback === '' ? '' : ` [${fallback}]`}: `)
    const { value, done } = await (isSecret ? unseen(() => lines.next()) : lines.next())
    if (done === true)
      throw new UsageError('init: the answers have ended; with --yes nothing is asked')
    const answer = value.trim() || fallback
    const fault = answer === '' ? null : faultOf(key, readAnswer(key, answer))
    if (fault === null) return answer
    print(`  ${key} ${fault}\n`)
  }
}

/** What is typed meanwhile does not show on the terminal, where there is one. */
async function unseen<T>(work: () => Promise<T>): Promise<T> {
  if (!process.stdin.isTTY) return work()
  const echo = (mode: 'echo' | '-echo') => spawnSync('stty', [mode], { stdio: 'inherit' })
  echo('-echo')
  try {
    return await work()
  } finally {
    echo('echo')
    print('\n')
  }
}
