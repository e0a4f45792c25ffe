import { randomBytes } from 'node:crypto'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { Locale } from '../locale/locale.ts'
import { toMail } from '../mail/envelope.ts'
import type { Message } from '../mail/mailer.ts'
import { compose, type MailKind, mailKinds, mailLanguage } from '../mail/message.ts'
import { KeyRing } from '../proof/secret.ts'
import { type Assets, loadAssets } from '../respond/assets.ts'
import { Pages, templateOf } from '../respond/html.ts'
import { type Sample, sampleMail, samplePages } from '../samples.ts'
import type { Templates } from '../templates.ts'
import { type Choice, mailName } from './choice.ts'
import { KeyedLocale, type TextPlace } from './keys.ts'
import { switchSettings } from './settings.ts'
import { originOf, pseudoTemplates, shownPath, Texts } from './texts.ts'

/** A text of a page, and where it stands. */
interface UsedText {
  readonly key: string
  readonly found: TextPlace | null
}

/** A page as it would be sent. */
export interface ShownPage {
  readonly kind: 'page'
  /** Its HTML, with the texts told that were asked for. */
  readonly html: string
  /** Of the HTML that a visitor gets. */
  readonly bytes: number
  /** Its template, as the owner knows it. */
  readonly file: string
  readonly texts: readonly UsedText[]
  readonly note: string | null
}

/** A mail as it would be sent. */
export interface ShownMail {
  readonly kind: 'mail'
  readonly message: Message
  readonly bytes: number
  readonly file: string
  /** With its headers. */
  readonly source: string
  /** The language it is in, where the chosen one has no such mail; else `null`. */
  readonly fallback: string | null
}

/** Everything that can be looked at, as its files are now. */
export class Stage {
  readonly config: Config
  readonly texts: Texts
  readonly templates: Templates
  readonly assets: Assets
  readonly samples: readonly Sample[]
  readonly #keys = new KeyRing([randomBytes(32).toString('hex')])

  /** @throws {ForgotError} when a template or a language cannot be used. */
  constructor(config: Config) {
    this.config = config
    this.texts = new Texts(config.locales)
    this.templates = pseudoTemplates(config.templates, config.theme.layout)
    this.assets = loadAssets(config, this.templates)
    this.samples = samplePages({ clock: systemClock }, { tag: config.locales.default })
  }

  /** The names of all that can be shown. */
  get names(): readonly string[] {
    return [...this.samples.map(({ name }) => name), ...mailKinds.map(mailName)]
  }

  /** The language of exactly this tag; else the site's default. */
  locale(tag: string): Locale {
    const { all, locales } = this.texts
    const locale = all.find((each) => each.tag === tag)
    return locale ?? locales.choose([tag, this.config.locales.default], '')
  }

  /** The page or mail of a choice; `null` when there is none of that name. @throws what a template throws. */
  async show(choice: Choice): Promise<ShownPage | ShownMail | null> {
    const locale = this.locale(choice.lang)
    const kind = mailKinds.find((each) => mailName(each) === choice.show)
    if (kind !== undefined) return this.#mail(kind, locale, choice)
    const sample = this.samples.find(({ name }) => name === choice.show)
    return sample === undefined ? null : this.#page(sample, locale, choice)
  }

  /** The language that a mail is in where another does not have it; else, and for pages, `null`. */
  fallbackOf(show: string, tag: string): string | null {
    const kind = mailKinds.find((each) => mailName(each) === show)
    const language = kind && mailLanguage(this.templates, kind, this.locale(tag))
    return language === undefined || language === tag ? null : language
  }

  /** The template of what is shown: where to look when it cannot be. */
  fileOf(show: string, tag: string): string {
    const sample = this.samples.find(({ name }) => name === show)
    if (sample !== undefined) return `${templateOf(sample.outcome.page)}.eta`
    const kind = mailKinds.find((each) => mailName(each) === show) ?? mailKinds[0]
    return `email/${mailLanguage(this.templates, kind, this.locale(tag))}/${kind}.eta`
  }

  async #page({ outcome }: Sample, shown: Locale, choice: Choice): Promise<ShownPage> {
    const { templates, texts, assets } = this
    const { config, note } = switchSettings(this.config, choice.settings, outcome)
    const locale = new KeyedLocale(shown)
    const locales = texts.offeredWith(shown, config.locales.default)
    const services = { config, clock: systemClock, keys: this.#keys, locales }
    const render = (template: string, view: object) => templates.render(template, view)
    const request = { method: 'GET', path: '', headers: {}, parameters: {}, data: {} }
    const pages = new Pages({ services, assets, render })
    const { body } = await pages.respond(outcome, { request, flow: null, locale })
    const marked = String(body)
    const find = (key: string) => texts.find(shown, key)
    return {
      kind: 'page',
      html: locale.tell(marked, find, { isEach: choice.hasKeys }),
      bytes: Buffer.byteLength(locale.plain(marked)),
      file: shownPath(templates.find(`${templateOf(outcome.page)}.eta`)),
      texts: locale.keys.map((key) => ({ key, found: find(key) })),
      note,
    }
  }

  async #mail(kind: MailKind, shown: Locale, choice: Choice): Promise<ShownMail> {
    const { templates, texts } = this
    const { config } = switchSettings(this.config, choice.settings, null)
    const language = mailLanguage(templates, kind, shown)
    const locale = language === shown.tag ? shown : (texts.locales.exact(language) ?? shown)
    const data = sampleMail(kind, locale, { config, clock: systemClock })
    const to = { id: 'sample', address: data.account }
    const message = compose(templates, { kind, language }, to, data)
    return {
      kind: 'mail',
      message,
      bytes: Buffer.byteLength(message.html),
      file: shownPath(templates.find(`email/${originOf(language)}/${kind}.eta`)),
      source: toMail(message, config.smtp).raw.toString('utf8'),
      fallback: language === shown.tag ? null : language,
    }
  }
}
