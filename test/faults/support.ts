import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ConfigInput } from '../../src/config/config.ts'
import { newAccount } from '../attacks/support.ts'
import { route, type Site } from '../support/site.ts'
import type { Received } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'

/** The links that a mail brings, that of its button included. */
export function linksOf(received: Received | undefined): string[] {
  return received?.mail.text?.match(/https?:\/\/\S+\?(?:token|revoke)=[\w.-]+/g) ?? []
}

/** Somebody with a link that nobody has used. */
export async function person(
  site: Site,
): Promise<{ readonly email: string; readonly link: string; readonly token: string }> {
  const email = newAccount(site).email
  const link = await site.mailedLink(email)
  return { email, link, token: new URL(link).searchParams.get('token') ?? '' }
}

/** The mails that told an address of its new password. */
export function noticesTo(site: Site, email: string): Received[] {
  return site.smtp.mails.filter(
    ({ recipients, mail }) =>
      recipients.includes(email) && (mail.subject ?? '').includes('was changed'),
  )
}

/** The mail to an address: the site's clock goes on, so that it is tried again. */
export function mailTo(site: Site, email: string): Promise<Received> {
  return eventually(() => {
    site.clock.move(20)
    return site.smtp.mails.find(({ recipients }) => recipients.includes(email))
  })
}

/** Has the mail server not take the mail to an address now: it waits to be tried again. */
export async function keepWaiting(site: Site, email: string): Promise<void> {
  // Else it could be another mail that is not taken.
  await eventually(async () => {
    site.clock.move(20)
    return (await site.rows('select 1 from mail_job where ended_at is null')).length === 0
  })
  site.smtp.refusals.push({ code: 451, at: 'rcpt' })
  await site.visitor().post(route, { email })
  const waiting = "select 1 from mail_job where state = 'queued' and last_error is not null"
  await eventually(async () => (await site.rows(waiting)).length > 0)
}

/** Writes files beside a site's own, named from its folder. */
export function write(site: Site, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(site.folder, name)), { recursive: true })
    writeFileSync(join(site.folder, name), text)
  }
}

/** Stops a site's server and starts it with another configuration, on the same files. */
export async function restart(site: Site, config: ConfigInput): Promise<void> {
  await site.server?.close()
  site.config = { ...site.config, ...config }
  await site.listen()
}
