import { field, HtmlResponse } from '../action.ts'
import type { Services } from '../services.ts'
import { type Flow, flowCookie } from '../steps/flow.ts'
import { namedSteps, type Outcome, type Redirect, statusOf } from '../steps/outcome.ts'
import type { Visit } from '../steps/visit.ts'
import type { Assets } from './assets.ts'
import { pageData, type Shown } from './page-data.ts'
import { showProblems, type View } from './view.ts'

/** Renders a template of `templates/` with a view. */
export type Render = (template: string, view: View) => Promise<string> | string

export interface PagesParts {
  readonly services: Pick<Services, 'config' | 'clock' | 'keys' | 'locales'>
  readonly assets: Assets
  readonly render: Render
  /** Whether pages that are the same for everybody are rendered once; default: each time. */
  readonly keepsPages?: boolean
}

/** Turns what a step decided into what a browser is sent. */
export class Pages {
  readonly #parts: PagesParts
  readonly #kept = new Map<string, Buffer>()

  constructor(parts: PagesParts) {
    this.#parts = parts
  }

  async respond(outcome: Outcome, visit: Visit): Promise<HtmlResponse> {
    return outcome.page === 'redirect' ? this.#redirect(outcome) : this.#page(outcome, visit)
  }

  #redirect({ step, flow }: Redirect): HtmlResponse {
    const { route } = this.#parts.services.config
    const location = step === 'form' ? route : `${route}?step=${step}`
    return new HtmlResponse('', 303, { location, ...this.#common(flow) })
  }

  async #page(shown: Shown, visit: Visit): Promise<HtmlResponse> {
    const flow = 'flow' in shown ? shown.flow : undefined
    const body = isSameForAll(shown) ? this.#keep(shown, visit) : this.#render(shown, visit)
    return new HtmlResponse(await body, statusOf(shown), {
      'content-language': visit.locale.tag,
      vary: 'Accept-Language, Cookie',
      ...(shown.page === 'error' && shown.retryAfterMs !== undefined
        ? { 'retry-after': String(Math.ceil(shown.retryAfterMs / 1000)) }
        : {}),
      ...this.#common(flow && { ...flow, locale: visit.locale.tag }),
    })
  }

  async #render(shown: Shown, visit: Visit): Promise<string> {
    return this.#parts.render(templateOf(shown.page), this.#view(shown, visit))
  }

  /** To render a page takes longer than all else that its answer needs: bytes that do not differ are kept. */
  async #keep(shown: Shown, visit: Visit): Promise<string | Buffer> {
    if (this.#parts.keepsPages !== true) return this.#render(shown, visit)
    const key = `${shown.page} ${visit.locale.tag} ${stepQuery(visit)}`
    const kept = this.#kept.get(key)
    if (kept !== undefined) return kept
    const made = Buffer.from(await this.#render(shown, visit))
    this.#kept.set(key, made)
    return made
  }

  /** Without a flow, the visitor's stays as it is. */
  #common(flow: Flow | undefined): Record<string, string> {
    const headers = { 'cache-control': 'no-store' }
    if (flow === undefined) return headers
    return { ...headers, 'set-cookie': flowCookie(this.#parts.services, flow) }
  }

  #view(shown: Shown, visit: Visit): View {
    const { services, assets } = this.#parts
    const { site, route } = services.config
    const { locale } = visit
    const problems = 'problems' in shown ? shown.problems : []
    const reason = shown.page === 'error' ? shown.reason : (problems[0]?.reason ?? '')
    return {
      step: shown.page,
      reason,
      title: locale.text(shown.page === 'error' ? `reason.${reason}.title` : `${shown.page}.title`),
      lang: locale.tag,
      dir: locale.direction,
      space: locale.space,
      site: { name: site.name, loginUrl: site.loginUrl, supportUrl: site.supportUrl ?? '' },
      assets: {
        style: assets.style.path,
        script: assets.script.path,
        logo: assets.logo?.path ?? '',
      },
      action: route,
      languages: this.#languages(visit),
      problems: showProblems(problems, locale),
      t: (key, values) => locale.text(key, values),
      html: (key, values) => locale.html(key, values),
      data: pageData(shown, locale, services),
    }
  }

  /** Links to the step at hand in each language; what was typed stays behind. */
  #languages(visit: Visit): View['languages'] {
    const { locales, config } = this.#parts.services
    const query = stepQuery(visit)
    return locales.all.map(({ tag, name, direction }) => ({
      tag,
      name,
      direction,
      href: `${config.route}?${query}lang=${tag}`,
      isCurrent: tag === visit.locale.tag,
    }))
  }
}

/** Whether a page tells nothing of its visitor, and nothing of the moment. */
function isSameForAll(shown: Shown): boolean {
  if (shown.page === 'form') return shown.email === '' && shown.problems.length === 0
  return shown.page === 'done' || shown.page === 'revoked'
}

/** What names the step at hand in an address: `step=done&`, or nothing. */
function stepQuery({ request }: Visit): string {
  const step = field(request, 'step')
  return namedSteps.some((name) => name === step) ? `step=${step}&` : ''
}

/** The template of a page, named from `templates/`. */
export function templateOf(page: Shown['page']): string {
  return page === 'form' ? 'forgot' : `forgot-${page}`
}
