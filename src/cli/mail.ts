import { systemClock } from '../clock.ts'
import { loadConfig } from '../config/load.ts'
import { Opened } from '../opened.ts'
import { openStore } from '../parts.ts'
import { readReference, showReference } from '../proof/reference.ts'
import type { KeyRing } from '../proof/secret.ts'
import type { JobState, MailQueue, QueuedMail } from '../store/mail.ts'
import { type Command, configOption, parse, UsageError } from './command.ts'
import { describeMail, mailTable, masked } from './mail-table.ts'
import { sendTestMail } from './mail-trial.ts'

const options = {
  ...configOption,
  dead: { type: 'boolean' },
  json: { type: 'boolean' },
  kind: { type: 'string' },
  language: { type: 'string' },
  state: { type: 'string' },
} as const

export const command: Command = {
  summary: 'shows the mails that are owed, and tries, drops or tests one',
  help: `forgot-password mail list [--state <state>] [--json]
forgot-password mail show <reference or id> [--json]
forgot-password mail retry <reference or id> | --dead
forgot-password mail drop <reference or id> | --dead
forgot-password mail test <address> [--kind <kind>] [--language <tag>]

list   the newest hundred mails that are owed or were given up. --state takes queued, sending, sent, dropped,
       dead, or several with commas between them.
show   all there is to know of a mail; its address with most of it hidden.
retry  has it tried at once, with all of its tries before it. --dead: every one that was given up.
drop   ends it: nothing is mailed.
test   sends a mail as people get it, with a link that leads nowhere, and prints what is said between this
       machine and the mail server. --kind takes link, code, changed, no-account or elsewhere.

A mail is named by the reference that its person sees, K7Q4-MZ8P, or by the beginning of its id.

  forgot-password mail list --state dead
  forgot-password mail retry K7Q4-MZ8P
  forgot-password mail test me@site.example --kind code --language fr`,
  options,
  actions: ['list', 'show', 'retry', 'drop', 'test'],

  async run(args) {
    const { positionals, values } = parse(args, options, 2)
    const [action = '', name] = positionals
    const config = loadConfig(values.config)
    if (action === 'test') {
      await sendTestMail(config, name, values)
      return 0
    }
    const opened = new Opened()
    try {
      const { keys, store } = await openStore(config, opened)
      await act({ action, name, values, keys, queue: store.queue })
      return 0
    } finally {
      await opened.close()
    }
  },
}

interface Values {
  readonly dead?: boolean | undefined
  readonly json?: boolean | undefined
  readonly state?: string | undefined
}

interface Order {
  readonly action: string
  readonly name: string | undefined
  readonly values: Values
  readonly keys: KeyRing
  readonly queue: MailQueue
}

async function act(order: Order): Promise<void> {
  const { action } = order
  if (action === 'list') return list(order)
  if (action === 'show') return show(order)
  if (action === 'retry') return change(order, 'retry', 'to be tried now')
  if (action === 'drop') return change(order, 'drop', 'dropped')
  throw new UsageError('mail: say list, show, retry, drop or test')
}

const states: readonly JobState[] = ['queued', 'sending', 'sent', 'dropped', 'dead']
const mostListed = 100

async function list({ values, queue, keys }: Order): Promise<void> {
  const wanted = (values.state ?? 'queued,sending,dead').split(',')
  const unknown = wanted.find((state) => !states.includes(state as JobState))
  if (unknown !== undefined)
    throw new UsageError(`--state: ${unknown} is none of ${states.join(', ')}`)
  const mails = await queue.list(wanted as JobState[], mostListed)
  print(values, mails, keys, mailTable(mails, systemClock.now()))
}

async function show(order: Order): Promise<void> {
  const mails = await find(order)
  const now = systemClock.now()
  const text = mails.map((mail) => describeMail(mail, masked(mail, order.keys), now)).join('\n')
  print(order.values, mails, order.keys, text)
}

async function change(order: Order, act: 'retry' | 'drop', done: string): Promise<void> {
  const { name, values, queue } = order
  if ((name === undefined) === (values.dead !== true)) {
    throw new UsageError(`mail ${act}: name one mail by its reference or id, or say --dead`)
  }
  const mails =
    values.dead === true ? await queue.list(['dead'], Number.MAX_SAFE_INTEGER) : await find(order)
  const now = systemClock.now()
  const lines = await Promise.all(
    mails.map(async (mail) => {
      const isDone = await queue[act](mail.id, now)
      return `${showReference(mail.reference)} ${mail.kind}: ${isDone ? done : `${mail.state}, left as it is`}\n`
    }),
  )
  process.stdout.write(lines.join('') || 'There is none.\n')
}

const shortestId = 4

async function find({ name = '', queue }: Order): Promise<QueuedMail[]> {
  if (name.length < shortestId) throw new UsageError('mail: name one by its reference or id')
  const mails = await queue.find(readReference(name) ?? name)
  if (mails.length === 0)
    throw new UsageError(`mail: there is none with the reference or id ${name}`)
  return mails
}

function print({ json }: Values, mails: readonly QueuedMail[], keys: KeyRing, text: string): void {
  if (json !== true) process.stdout.write(text)
  else
    process.stdout.write(
      `${JSON.stringify(
        mails.map((mail) => toJson(mail, keys)),
        null,
        2,
      )}\n`,
    )
}

function toJson(mail: QueuedMail, keys: KeyRing): object {
  const { sealedAddress: _, createdAt, expiresAt, dueAt, endedAt, reference, ...rest } = mail
  const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString())
  return {
    ...rest,
    reference: showReference(reference),
    to: masked(mail, keys),
    ...{
      createdAt: iso(createdAt),
      expiresAt: iso(expiresAt),
      dueAt: iso(dueAt),
      endedAt: iso(endedAt),
    },
  }
}
