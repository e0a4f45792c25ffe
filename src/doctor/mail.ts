import type { Config } from '../config/config.ts'
import { MailFailure } from '../mail/mailer.ts'
import { remedies } from '../mail/remedies.ts'
import { type MailServer, openMailServers } from '../mail-parts.ts'
import { type Finding, fault, good, warning } from './finding.ts'

/** Whether each mail server can be reached, knows us and takes our sender; no mail is sent. */
export async function examineMail(config: Config): Promise<Finding[]> {
  if (config.hasMailbox) {
    const text = 'smtp.host: none is set, so mails stay in the built-in mailbox and reach nobody'
    return [
      warning('mail', text, 'set smtp.host, smtp.user, smtp.pass and smtp.from: see docs/mail.md'),
    ]
  }
  const servers = openMailServers(config)
  return Promise.all(servers.map((server) => examineServer(server, config.smtp.returnPath)))
}

async function examineServer({ name, mailer }: MailServer, sender: string): Promise<Finding> {
  try {
    await (mailer.checkSender?.() ?? mailer.check())
    return good('mail', `smtp: ${name} takes mails from ${sender}`)
  } catch (failure) {
    if (!(failure instanceof MailFailure)) throw failure
    return fault('mail', `smtp: ${name}: ${failure.message}`, remedies[failure.kind])
  } finally {
    await mailer.close()
  }
}
