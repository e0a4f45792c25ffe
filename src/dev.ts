import type { FastifyInstance } from 'fastify'
import type { Config } from './config/config.ts'
import { MailboxPages } from './demo/mailbox.ts'
import type { Mailbox } from './mail/mailbox.ts'
import { mount, mountAssets } from './mount.ts'
import { mountPreview } from './preview/mount.ts'
import type { Wired } from './wire.ts'

// What is under /dev: for whoever sits at this machine, and for nobody else.

/** The mails that were kept instead of sent. */
export function mountMailbox(
  app: FastifyInstance,
  { assets, templates }: Wired,
  mailbox: Mailbox,
): void {
  mountAssets(app, [assets.demo])
  const styles = [assets.style.path, assets.demo.path]
  mount(app, '/dev/mailbox', new MailboxPages(mailbox, templates, styles))
}

/** The preview, beside the pages that it shows. */
export function mountSitePreview(app: FastifyInstance, config: Config): void {
  const { hasMailbox, route } = config
  const mailbox = hasMailbox ? [['Mailbox', '/dev/mailbox'] as const] : []
  const links = [...mailbox, ['The page itself', route] as const]
  mountPreview(app, { load: () => config, configFile: null, hasMailbox, links })
}
