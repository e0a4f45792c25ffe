import type { Locale } from '../../src/locale/locale.ts'
import type { Message } from '../../src/mail/mailer.ts'
import { compose, mailKinds } from '../../src/mail/message.ts'
import { Pages, type PagesParts } from '../../src/respond/html.ts'
import { sampleMail, samplePages } from '../../src/samples.ts'
import type { Templates } from '../../src/templates.ts'

/** What samples are rendered with. */
export interface Look extends Pick<PagesParts, 'services' | 'assets'> {
  readonly templates: Templates
}

/** Every page in every state that a visitor can see, by the names of their samples. */
export async function renderPages(locale: Locale, look: Look): Promise<Map<string, string>> {
  const { services, assets, templates } = look
  const render = (template: string, view: object) => templates.render(template, view)
  const pages = new Pages({ services, assets, render })
  const request = { method: 'GET', path: '', headers: {}, parameters: {}, data: {} }
  const shown = new Map<string, string>()
  for (const { name, outcome } of samplePages(services, locale)) {
    const { body } = await pages.respond(outcome, { request, flow: null, locale })
    shown.set(name, String(body))
  }
  return shown
}

/** Every mail, by its kind. */
export function renderMails(
  locale: Locale,
  { services, templates }: Pick<Look, 'services' | 'templates'>,
): Map<string, Message> {
  const sent = mailKinds.map((kind) => {
    const data = sampleMail(kind, locale, services)
    const to = { id: 'sample', address: data.account }
    return [kind, compose(templates, { kind, language: locale.tag }, to, data)] as const
  })
  return new Map(sent)
}
