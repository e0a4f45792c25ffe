import type { Config } from './config/config.ts'
import { etaFiles } from './ejected.ts'
import { ForgotError } from './errors.ts'
import type { Locale } from './locale/locale.ts'
import { compose, mailKinds } from './mail/message.ts'
import { nearest } from './nearest.ts'
import type { Assets } from './respond/assets.ts'
import { Pages, templateOf } from './respond/html.ts'
import { sampleMail, samplePages } from './samples.ts'
import type { Services } from './services.ts'
import type { Visit } from './steps/visit.ts'
import { builtInTemplates, faultOf, Templates } from './templates.ts'

/** What each page cannot do without, whoever writes its template. */
const essentials: Readonly<Record<string, readonly string[]>> = {
  form: ['name="email"', 'data-step="form"'],
  code: ['name="code"', 'name="reference"', 'data-step="code"'],
  reset: ['name="password"', 'name="csrf"', 'data-step="reset"'],
  revoke: ['name="revoke"', 'data-step="revoke"'],
}

/** What a mail cannot do without, where its data has it. */
const mailEssentials = ['link', 'code'] as const

export type RehearsalServices = Pick<Services, 'config' | 'clock' | 'keys' | 'locales'>

/**
 * Renders every page and mail once with the site's own templates, so that a mistake in one is found by
 * its owner and not by a visitor.
 *
 * @returns A line for each file that nothing uses.
 * @throws {ForgotError} `ERR_FORGOT_TEMPLATE` with the faults of all templates, each with its line.
 */
export async function rehearse(
  folder: string,
  services: RehearsalServices,
  assets: Assets,
  languages: readonly Locale[],
): Promise<string[]> {
  const isWhole = services.config.theme.layout
  const templates = new Templates(folder, { debug: true, isWhole })
  const own = etaFiles(folder)
  const compiled = own.flatMap((file) => templates.syntaxFault(file) ?? [])
  if (compiled.length > 0) throw toError(compiled)
  const faults = new Set<string>()
  for (const each of languages) {
    for (const found of await pageFaults(templates, each, services, assets)) faults.add(found)
  }
  for (const each of withOwnMails(services, own, languages)) {
    for (const found of mailFaults(templates, each, services)) faults.add(found)
  }
  if (faults.size > 0) throw toError([...faults])
  return own.flatMap((file) => unusedNote(file, templates, services) ?? [])
}

/** Some languages, and those that the site has mails of its own in: what stands around the others' is the same. */
function withOwnMails(
  { locales }: RehearsalServices,
  own: readonly string[],
  languages: readonly Locale[],
): readonly Locale[] {
  return locales.all.filter(
    (each) => languages.includes(each) || own.some((file) => file.startsWith(`email/${each.tag}/`)),
  )
}

async function pageFaults(
  templates: Templates,
  locale: Locale,
  services: RehearsalServices,
  assets: Assets,
): Promise<string[]> {
  const faults: string[] = []
  const render = (template: string, view: object) => templates.render(template, view)
  const pages = new Pages({ services, assets, render })
  const request = { method: 'GET', path: '', headers: {}, parameters: {}, data: {} }
  const visit: Visit = { request, flow: null, locale }
  for (const { outcome } of samplePages(services, locale)) {
    const file = `${templateOf(outcome.page)}.eta`
    try {
      const { body } = await pages.respond(outcome, visit)
      const html = String(body)
      const missing = (essentials[outcome.page] ?? []).filter((text) => !html.includes(text))
      faults.push(...missing.map((text) => `${lossAt(templates, file)}: has no ${text}`))
    } catch (error) {
      faults.push(faultOf(error, templates.find(file)))
    }
  }
  return faults
}

/** Where something is missing: a page that is not the site's own can only have lost it in what stands around it. */
function lossAt(templates: Templates, file: string): string {
  const path = templates.find(file)
  return path.startsWith(builtInTemplates) ? templates.find(templates.frame) : path
}

/** The faults of the mails that are written in this very language. */
function mailFaults(
  templates: Templates,
  locale: Locale,
  services: { readonly config: Config } & RehearsalServices,
): string[] {
  return mailKinds.flatMap((kind) => {
    const file = `email/${locale.tag}/${kind}.eta`
    if (!templates.has(file)) return []
    try {
      const data = sampleMail(kind, locale, services)
      const to = { id: 'sample', address: data.account }
      const { subject, html } = compose(templates, { kind, language: locale.tag }, to, data)
      const missing = mailEssentials.filter((name) => !html.includes(data[name] ?? ''))
      return [
        ...(subject === '' ? [`${templates.find(file)}: has no subject`] : []),
        ...missing.map((name) => `${templates.find(file)}: has no it.${name}`),
      ]
    } catch (error) {
      return [faultOf(error, templates.find(file))]
    }
  })
}

/** Why a file of the site's own is never read, or `null` when it is. */
function unusedNote(
  file: string,
  templates: Templates,
  { locales }: RehearsalServices,
): string | null {
  if (templates.isUsed(file)) return null
  const path = templates.find(file)
  const [, tag] = /^email\/([^/]+)\//.exec(file) ?? []
  if (tag !== undefined && !locales.all.some((locale) => locale.tag === tag)) {
    return `${path} is not used: ${tag} is not among the languages on offer`
  }
  const near = nearest(
    file,
    etaFiles().filter((each) => each !== file),
  )
  return `${path} is not used${near === null ? '' : ` (did you mean ${near}?)`}`
}

function toError(problems: readonly string[]): ForgotError {
  const lines = problems.map((problem) => `  ${problem}`).join('\n')
  const message = `The site's own templates cannot be used:\n${lines}`
  return new ForgotError('ERR_FORGOT_TEMPLATE', message, { problems })
}
