import PostalMime from 'postal-mime'
import { Action, field, HtmlResponse, type Request, type Response } from '../action.ts'
import type { Mailbox } from '../mail/mailbox.ts'
import { isAtThisMachine } from '../origin.ts'
import type { Templates } from '../templates.ts'

// A mail's own styles are inline; it may load nothing, and open links only where it is shown.
const mailPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
const pagePolicy =
  "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/** Shows the mails that were kept instead of sent, to whoever sits at this machine. */
export class MailboxPages extends Action {
  readonly #mailbox: Mailbox
  readonly #templates: Templates
  readonly #styles: readonly string[]

  constructor(mailbox: Mailbox, templates: Templates, styles: readonly string[]) {
    super()
    this.#mailbox = mailbox
    this.#templates = templates
    this.#styles = styles
  }

  async html({ request }: Request): Promise<Response> {
    if (!isAtThisMachine(request)) return new HtmlResponse('', 404)
    const name = field(request, 'mail')
    if (name === '') return this.#list()
    const source = await this.#mailbox.read(name)
    if (source === null) return new HtmlResponse('There is no such mail', 404)
    const mail = await PostalMime.parse(source)
    const part = field(request, 'part')
    if (part === 'html') return htmlPart(mail.html ?? '')
    const view = {
      name,
      subject: mail.subject ?? '',
      from: mail.from?.address ?? '',
      to: mail.to?.[0]?.address ?? '',
      text: mail.text ?? '',
      source,
      part: part === 'text' || part === 'source' ? part : 'html',
    }
    return this.#page('demo/mail', view)
  }

  async #list(): Promise<Response> {
    const names = (await this.#mailbox.list()).slice(0, 50)
    const mails = await Promise.all(
      names.map(async (name) => {
        const mail = await PostalMime.parse((await this.#mailbox.read(name)) ?? '')
        return {
          name,
          subject: mail.subject ?? '',
          to: mail.to?.[0]?.address ?? '',
          date: mail.date ?? '',
        }
      }),
    )
    return this.#page('demo/mailbox', { mails })
  }

  #page(template: string, data: object): Response {
    const body = this.#templates.render(template, { styles: this.#styles, data })
    const headers = { 'content-security-policy': pagePolicy, 'cache-control': 'no-store' }
    return new HtmlResponse(body, 200, headers)
  }
}

/** The mail as a mail program would show it, its links leaving the frame. */
function htmlPart(html: string): Response {
  return new HtmlResponse(html.replace('<head>', '<head><base target="_top">'), 200, {
    'content-security-policy': mailPolicy,
    'x-frame-options': 'SAMEORIGIN',
    'cache-control': 'no-store',
  })
}
