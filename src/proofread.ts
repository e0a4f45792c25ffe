import { randomBytes } from 'node:crypto'
import { systemClock } from './clock.ts'
import type { Config } from './config/config.ts'
import { isSameLanguage } from './locale/compare.ts'
import { type Fault, type Finding, type Place, start } from './locale/finding.ts'
import { Leftovers, wordsIn } from './locale/leftovers.ts'
import type { Locale } from './locale/locale.ts'
import type { Locales } from './locale/locales.ts'
import { lengthOf } from './locale/wording.ts'
import { compose, type MailKind, mailKinds } from './mail/message.ts'
import { mailParts } from './mail/source.ts'
import { KeyRing } from './proof/secret.ts'
import { loadAssets } from './respond/assets.ts'
import { Pages, templateOf } from './respond/html.ts'
import { sampleMail, samplePages } from './samples.ts'
import { faultOf, Templates } from './templates.ts'
import { readText } from './text.ts'

// What mail programs show beside a subject: less is filled up with the mail's first words.
const preheaderLengths = { least: 40, most: 100 } as const
// What mail programs show at once and never cut off, with room for longer addresses.
const mailBytes = 6144

/** Every text that pages and mails can have is shown, and addresses are long. */
function sampled(config: Config): Config {
  return {
    ...config,
    site: {
      ...config.site,
      ...{ name: 'Riverside Library', url: 'https://www.riverside-library.example' },
      supportUrl: '/help',
    },
    recovery: { ...config.recovery, methods: ['link', 'code'] },
    password: {
      ...config.password,
      confirm: true,
      composition: ['lower', 'upper', 'digit', 'special'],
    },
  }
}

/** Reads pages and mails as people get them, for what cannot be seen in a text or a template alone. */
export class Proofreader {
  readonly #config: Config
  readonly #templates: Templates
  readonly #pages: Pages
  readonly #english: Locale | null

  /** @param locales Every language there is. */
  constructor(config: Config, locales: Locales) {
    this.#config = sampled(config)
    this.#templates = new Templates(config.templates, { debug: true })
    this.#english = locales.exact('en')
    const keys = new KeyRing([randomBytes(32).toString('hex')])
    this.#pages = new Pages({
      services: { config: this.#config, clock: systemClock, keys, locales },
      assets: loadAssets(this.#config, this.#templates),
      render: (template, view) => this.#templates.render(template, view),
    })
  }

  /** What is wrong with the pages and mails in one language; the mails are those in this very language. */
  async read(locale: Locale): Promise<Finding[]> {
    const found = [
      ...(await this.#readPages(locale)),
      ...mailKinds.flatMap((kind) => this.#readMail(kind, locale)),
    ]
    // The same words of a layout are on many pages.
    return [...new Map(found.map((each) => [JSON.stringify(each), each])).values()]
  }

  async #readPages(locale: Locale): Promise<Finding[]> {
    const leftovers = Leftovers.ofPages(locale, this.#english)
    const found: Finding[] = []
    for (const { name, outcome } of samplePages({ clock: systemClock }, locale)) {
      const file = `${templateOf(outcome.page)}.eta`
      const visit = { request: emptyRequest, flow: null, locale }
      try {
        const { body } = await this.#pages.respond(outcome, visit)
        const faults = leftovers.find(String(body)).map(({ text, ...fault }) => ({
          ...fault,
          text: `the page ${name} in ${locale.tag} ${text}`,
        }))
        found.push(...faults.map((fault) => ({ ...this.#placeOf(file), key: '', ...fault })))
      } catch (error) {
        found.push(brokenIn(error, this.#templates.find(file)))
      }
    }
    return found
  }

  #readMail(kind: MailKind, locale: Locale): Finding[] {
    const { tag } = locale
    const name = `email/${tag}/${kind}.eta`
    if (!this.#templates.has(name)) return []
    const file = this.#templates.find(name)
    const isOwn = this.#config.templates !== null && file.startsWith(this.#config.templates)
    try {
      const services = { config: this.#config, clock: systemClock }
      const data = sampleMail(kind, locale, services)
      const to = { id: 'sample', address: data.account }
      const { html } = compose(this.#templates, { kind, language: tag }, to, data)
      const { preheader = '' } = this.#templates.renderHead(name, data)
      const phrases = isSameLanguage(tag, 'en') ? [] : this.#mailPhrases(kind)
      const place = (key: string) => ({ file, ...this.#partPlace(file, key), key })
      return [
        ...preheaderFaults(preheader, isOwn).map((fault) => ({ ...place('preheader'), ...fault })),
        ...sizeFaults(html, isOwn).map((fault) => ({ ...place(''), ...fault })),
        ...new Leftovers(phrases, []).find(html).map((fault) => ({ ...place('body'), ...fault })),
      ]
    } catch (error) {
      return [brokenIn(error, file)]
    }
  }

  /** What stands between the markup of the English mail; single words may be the same elsewhere. */
  #mailPhrases(kind: MailKind): string[] {
    const english = this.#templates.find(`email/en/${kind}.eta`)
    return mailParts(readText(english))
      .flatMap(({ segments }) => segments.flatMap(({ text }) => text.split('{}')))
      .filter((part) => wordsIn(part) > 1)
  }

  #placeOf(file: string): Place & { readonly file: string } {
    return { file: this.#templates.find(file), ...start }
  }

  #partPlace(file: string, key: string): Place {
    const parts = mailParts(readText(file))
    return parts.find(({ name }) => name === key)?.place ?? start
  }
}

const emptyRequest = { method: 'GET', path: '', headers: {}, parameters: {}, data: {} }

function preheaderFaults(preheader: string, isOwn: boolean): Fault[] {
  const length = lengthOf(preheader)
  const { least, most } = preheaderLengths
  // That there is none is told already.
  if (length === 0 || (length >= least && length <= most)) return []
  const text = `has ${length} characters once it is filled in; ${least} to ${most} are shown`
  return [{ rule: 'preheader', level: isOwn ? 'warning' : 'fault', text }]
}

function sizeFaults(html: string, isOwn: boolean): Fault[] {
  const bytes = Buffer.byteLength(html)
  if (bytes <= mailBytes) return []
  const text = `is HTML of ${bytes} bytes; ${mailBytes} are enough`
  return [{ rule: 'size', level: isOwn ? 'warning' : 'fault', text }]
}

function brokenIn(error: unknown, file: string): Finding {
  const [, path = file, line = '1', text = ''] =
    /^(.*?):(?:(\d+):)? ([\s\S]*)$/.exec(faultOf(error, file)) ?? []
  return {
    ...{ file: path, line: Number(line), column: 1, key: '' },
    ...{ rule: 'render', level: 'fault', text },
  }
}
