import { randomUUID } from 'node:crypto'
import { parseAddress } from '../address.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { ForgotError } from '../errors.ts'
import { Locales } from '../locale/locales.ts'
import { type Listener, type Mailer, MailFailure, type Message } from '../mail/mailer.ts'
import { compose, type MailKind, mailKinds, mailLanguage } from '../mail/message.ts'
import { remedies } from '../mail/remedies.ts'
import { type MailServer, openMailServers } from '../mail-parts.ts'
import { sampleMail } from '../samples.ts'
import { Templates } from '../templates.ts'
import { UsageError } from './command.ts'

interface Choice {
  readonly kind?: string | undefined
  readonly language?: string | undefined
}

/**
 * Sends one mail as people get it, and prints what is said meanwhile.
 *
 * @throws {ForgotError} `ERR_FORGOT_MAIL` with the remedy when it was not accepted.
 */
export async function sendTestMail(
  config: Config,
  typed: string | undefined,
  choice: Choice,
): Promise<void> {
  const address = parseAddress(typed ?? '')
  if (address === null) throw new UsageError('mail test: say which address to send it to')
  const message = composeTest(config, address, choice)
  const [first, ...others] = openMailServers(config, printLine)
  if (first === undefined) return
  await converse(first, (mailer) => mailer.send(message))
  print('Accepted\n')
  for (const server of others) {
    await converse(server, (mailer) => mailer.check())
    print('Ready; the mail was not sent by it\n')
  }
}

function composeTest(
  config: Config,
  address: string,
  { kind = 'link', language }: Choice,
): Message {
  if (!mailKinds.includes(kind as MailKind)) {
    throw new UsageError(`--kind: ${kind} is none of ${mailKinds.join(', ')}`)
  }
  const templates = new Templates(config.templates)
  const locales = Locales.load(config.locales)
  const locale = locales.choose([language ?? ''], '')
  const mail = {
    kind: kind as MailKind,
    language: mailLanguage(templates, kind as MailKind, locale),
  }
  const data = sampleMail(mail.kind, locale, { config, clock: systemClock })
  const message = compose(templates, mail, { id: randomUUID(), address }, data)
  return { ...message, subject: `[Test] ${message.subject}` }
}

async function converse(
  { name, mailer }: MailServer,
  work: (mailer: Mailer) => Promise<void>,
): Promise<void> {
  print(`${name}\n`)
  try {
    await work(mailer)
  } catch (failure) {
    if (!(failure instanceof MailFailure)) throw failure
    throw new ForgotError('ERR_FORGOT_MAIL', `${failure.message}\n${remedies[failure.kind]}`)
  } finally {
    await mailer.close()
  }
}

const printLine: Listener = (from, line) => print(`  ${from === 'client' ? '>' : '<'} ${line}\n`)

function print(text: string): void {
  process.stdout.write(text)
}
