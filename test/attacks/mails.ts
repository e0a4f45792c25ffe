import { tags } from '../support/languages.ts'
import { newPassword, route, Site } from '../support/site.ts'
import { codeIn, linkIn, type Received } from '../support/smtp.ts'
import { newAccount } from './support.ts'

/** Every mail there is, in one language, as it arrived. */
export interface Mails {
  readonly to: string
  readonly link: Received
  readonly code: Received
  readonly changed: Received
}

/**
 * A site with somebody of each language who was sent every mail.
 *
 * @param headers What is sent with each request for one.
 */
export async function collectMails(
  headers: Record<string, string> = {},
): Promise<{ site: Site; mails: ReadonlyMap<string, Mails> }> {
  const site = await Site.start({ site: { supportUrl: '/help' } })
  const mails = new Map<string, Mails>()
  // Whose name is markup, since names are what people type.
  const name = 'Robin <img src=x onerror=alert(1)>'
  const people = new Map(
    tags.map((language) => [language, newAccount(site, { name, language }).email]),
  )
  const ask = async (to: string) => {
    const visitor = site.visitor()
    await visitor.post(route, { email: to, lang: 'en' }, headers)
  }
  const links = new Map<string, Received>()
  for (const [tag, to] of people) {
    await ask(to)
    const [link] = await site.smtp.to(to)
    if (link) links.set(tag, link)
    await site.reset(linkIn(link), newPassword)
  }
  for (const to of people.values()) await site.smtp.to(to, 2)
  await site.server?.close()
  site.config = { ...site.config, recovery: { methods: ['link', 'code'] } }
  await site.listen()
  for (const [tag, to] of people) {
    await ask(to)
    const [, changed, code] = await site.smtp.to(to, 3)
    const link = links.get(tag)
    if (!link || !changed || !code) throw new Error(`Not every mail has come to ${to}`)
    for (const secret of [codeIn(code), linkIn(code).split('token=')[1]])
      site.secrets.add(secret ?? '')
    mails.set(tag, { to, link, changed, code })
  }
  return { site, mails }
}

/** Every mail with its kind. */
export function kindsOf({ link, code, changed }: Mails): [string, Received][] {
  return Object.entries({ link, code, changed })
}
