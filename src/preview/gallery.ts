import { randomUUID } from 'node:crypto'
import { field, HtmlResponse, type Response, type ServerRequest } from '../action.ts'
import { Templates } from '../templates.ts'
import { type Choice, fieldsOf, linkTo, readChoice } from './choice.ts'
import { describeTemplateFaults } from './faults.ts'
import { faultFrame, frameOf } from './frame.ts'
import type { Preview } from './preview.ts'
import { type Sent, sendTrial } from './send.ts'
import type { ShownMail, ShownPage, Stage } from './stage.ts'
import { frameFor, neighboursOf, plainPart, selectorsOf, sheetOf, sizeOf } from './view.ts'

const policy =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/** What a choice came to: what is shown, or why it cannot be. */
type Result =
  | { readonly shown: ShownPage | ShownMail | null; readonly faults: readonly [] }
  | { readonly shown: null; readonly faults: readonly string[] }

/** What a page says beside what it shows. */
interface Aside {
  readonly note?: string | null
  readonly sent: Sent | null
  readonly status?: number
}

/** The page to choose on, and what it shows. */
export class Gallery {
  readonly #preview: Preview
  // The built-in ones alone: a fault in the site's own must not be in the way of seeing it.
  readonly #templates = new Templates(null)
  readonly #sent = new Map<string, Sent>()

  constructor(preview: Preview) {
    this.#preview = preview
  }

  /** The page with what is chosen in a frame, or all of a language in small ones. */
  async page(request: ServerRequest): Promise<Response> {
    const scene = this.#preview.current()
    if ('faults' in scene) return this.#broken(scene.faults)
    const choice = choiceOf(request, scene.stage)
    const wish = field(request, 'lang')
    const isUnknown = wish !== '' && wish !== choice.lang
    const note = isUnknown ? `There is no language ${wish}: this is ${choice.lang}.` : null
    return this.#show(choice, scene.stage, { note, sent: this.#takeSent(field(request, 'sent')) })
  }

  /** What is chosen, alone. */
  async frame(request: ServerRequest): Promise<Response> {
    const scene = this.#preview.current()
    if ('faults' in scene) return faultFrame(scene.faults)
    const choice = choiceOf(request, scene.stage)
    const { shown, faults } = await resultOf(choice, scene.stage)
    if (shown !== null) return frameOf(shown, choice, scene.stage)
    return faults.length > 0 ? faultFrame(faults) : faultFrame([`There is no ${choice.show}`], 404)
  }

  /** Sends the chosen mail to an address. */
  async send(request: ServerRequest): Promise<Response> {
    const scene = this.#preview.current()
    if ('faults' in scene) return this.#broken(scene.faults)
    const { stage } = scene
    const choice = choiceOf(request, stage)
    const { shown } = await resultOf(choice, stage)
    if (shown?.kind !== 'mail' || !this.#canSend(stage)) return new HtmlResponse('', 400)
    const sent = await sendTrial(stage.config, shown.message, field(request, 'to'))
    if (!sent.isSent) return this.#show(choice, stage, { sent, status: sent.isTyped ? 400 : 502 })
    const key = randomUUID()
    this.#sent.set(key, sent)
    const location = `${linkTo(choice)}&sent=${key}`
    return new HtmlResponse('', 303, { location, 'cache-control': 'no-store' })
  }

  /** What became of a mail, for the first who asks: a page that is loaded anew has sent nothing. */
  #takeSent(key: string): Sent | null {
    const sent = this.#sent.get(key) ?? null
    this.#sent.delete(key)
    return sent
  }

  async #show(
    choice: Choice,
    stage: Stage,
    { note = null, sent, status = 200 }: Aside,
  ): Promise<Response> {
    const result = choice.isSheet ? null : await resultOf(choice, stage)
    const isUnknown = result?.shown === null && result.faults.length === 0
    const view = {
      ...this.#common(),
      faults: isUnknown ? [`There is no page or mail ${choice.show}`] : (result?.faults ?? []),
      choice,
      sent,
      selectors: selectorsOf(stage, choice),
      sheetHref: linkTo(choice, { isSheet: !choice.isSheet }),
      missing: stage.texts.missing(stage.locale(choice.lang)),
      note,
      notes: stage.texts.locales.notes,
      sheet: choice.isSheet ? sheetOf(stage, choice) : null,
      single: result?.shown ? this.#single(result.shown, choice, stage) : null,
      hidden: fieldsOf(choice),
    }
    return this.#respond(view, isUnknown ? 404 : status)
  }

  #single(shown: ShownPage | ShownMail, choice: Choice, stage: Stage): object {
    const isMail = shown.kind === 'mail'
    const text = isMail ? plainPart(shown, choice.part) : null
    return {
      frame: text === null ? frameFor(stage, choice) : null,
      text,
      neighbours: neighboursOf(stage, choice),
      size: sizeOf(shown),
      file: shown.file,
      note: isMail ? null : shown.note,
      texts: isMail ? [] : shown.texts,
      fallback: isMail ? shown.fallback : null,
      subject: isMail ? shown.message.subject : null,
      canSend: isMail && this.#canSend(stage),
      lacksServer: isMail && !this.#canSend(stage),
    }
  }

  /** Where there is no mail server, mails can be sent to the mailbox alone, where there is one. */
  #canSend({ config }: Stage): boolean {
    return !config.hasMailbox || this.#preview.parts.hasMailbox
  }

  #broken(faults: readonly string[]): Response {
    return this.#respond(
      { ...this.#common(), faults, selectors: [], sheet: null, single: null },
      500,
    )
  }

  #common(): object {
    return {
      version: this.#preview.version,
      links: this.#preview.parts.links,
      isLive: this.#preview.isLive,
      note: null,
      notes: [],
      missing: [],
    }
  }

  #respond(view: object, status: number): Response {
    const headers = { 'content-security-policy': policy, 'cache-control': 'no-store' }
    return new HtmlResponse(this.#templates.render('demo/preview', view), status, headers)
  }
}

function choiceOf(request: ServerRequest, stage: Stage): Choice {
  const show = stage.names[0] ?? ''
  const choice = readChoice(request, { show, lang: stage.config.locales.default })
  return { ...choice, lang: stage.locale(choice.lang).tag }
}

async function resultOf(choice: Choice, stage: Stage): Promise<Result> {
  try {
    return { shown: await stage.show(choice), faults: [] }
  } catch (error) {
    const file = stage.fileOf(choice.show, choice.lang)
    return { shown: null, faults: describeTemplateFaults(error, file, stage) }
  }
}
