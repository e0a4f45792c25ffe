import { field, HtmlResponse, type ServerRequest } from '../action.ts'
import type { Locale } from '../locale/locale.ts'
import { showReference } from '../proof/reference.ts'
import {
  chooseLocale,
  type Flow,
  type FlowServices,
  flowCookie,
  formToken,
  readFlow,
} from '../steps/flow.ts'
import { type ErrorPage, errorStatus, type Outcome, type Redirect } from '../steps/outcome.ts'
import { type Asset, type Assets, assetPath } from './assets.ts'
import { passwordHints, passwordRules, showProblems, type View } from './view.ts'

/** Renders a template of `templates/` with a view. */
export type Render = (template: string, view: View) => Promise<string> | string

export interface PagesParts {
  readonly services: FlowServices
  readonly assets: Assets
  readonly render: Render
}

type Shown = Exclude<Outcome, Redirect>

/** Turns what a step decided into what a browser is sent. */
export class Pages {
  readonly #parts: PagesParts

  constructor(parts: PagesParts) {
    this.#parts = parts
  }

  async respond(outcome: Outcome, request: ServerRequest): Promise<HtmlResponse> {
    return outcome.page === 'redirect' ? this.#redirect(outcome) : this.#page(outcome, request)
  }

  #redirect(outcome: Redirect): HtmlResponse {
    const { route } = this.#parts.services.config
    return new HtmlResponse('', 303, {
      location: outcome.step === 'form' ? route : `${route}?step=${outcome.step}`,
      ...this.#common(outcome.flow),
    })
  }

  async #page(shown: Shown, request: ServerRequest): Promise<HtmlResponse> {
    const { services, render } = this.#parts
    const current = readFlow(request, services)
    const locale = chooseLocale(request, services, current)
    const view = this.#view(shown, locale, request)
    const template = shown.page === 'form' ? 'forgot' : `forgot-${shown.page}`
    const flow = 'flow' in shown ? shown.flow : undefined
    return new HtmlResponse(await render(template, view), status(shown), {
      'content-language': locale.tag,
      vary: 'Accept-Language, Cookie',
      ...(shown.page === 'error' && shown.retryAfterMs !== undefined
        ? { 'retry-after': String(Math.ceil(shown.retryAfterMs / 1000)) }
        : {}),
      ...this.#common(flow && { ...flow, locale: locale.tag }),
    })
  }

  /** Without a flow, the visitor's stays as it is. */
  #common(flow: Flow | undefined): Record<string, string> {
    const headers = { 'cache-control': 'no-store' }
    if (flow === undefined) return headers
    return { ...headers, 'set-cookie': flowCookie(this.#parts.services, flow) }
  }

  #view(shown: Shown, locale: Locale, request: ServerRequest): View {
    const { services, assets } = this.#parts
    const { site, route } = services.config
    const reason = shown.page === 'error' ? shown.reason : ''
    const file = (asset: Asset | null) => (asset === null ? '' : assetPath(services.config, asset))
    const problems = 'problems' in shown ? showProblems(shown.problems, locale) : []
    return {
      step: shown.page,
      reason: reason || ('problems' in shown ? (shown.problems[0]?.reason ?? '') : ''),
      title: locale.text(reason ? `reason.${reason}.title` : `${shown.page}.title`),
      lang: locale.tag,
      dir: locale.direction,
      site: { name: site.name, loginUrl: site.loginUrl, supportUrl: site.supportUrl ?? '' },
      assets: { style: file(assets.style), script: file(assets.script), logo: file(assets.logo) },
      action: route,
      languages: this.#languages(locale, request),
      problems,
      t: (key, values) => locale.text(key, values),
      html: (key, values) => locale.html(key, values),
      data: this.#data(shown, locale),
    }
  }

  /** Links to the step at hand in each language; what was typed stays behind. */
  #languages(current: Locale, request: ServerRequest): View['languages'] {
    const { locales, config } = this.#parts.services
    const step = field(request, 'step')
    const query = /^(?:sent|reset|done)$/.test(step) ? `step=${step}&` : ''
    return locales.all.map(({ tag, name, direction }) => ({
      tag,
      name,
      direction,
      href: `${config.route}?${query}lang=${tag}`,
      isCurrent: tag === current.tag,
    }))
  }

  #data(shown: Shown, locale: Locale): View['data'] {
    if (shown.page === 'form') return { email: shown.email }
    if (shown.page === 'sent') return this.#sentData(shown.flow, locale)
    if (shown.page === 'error') return this.#errorData(shown, locale)
    const { mail, password, users } = this.#parts.services.config
    if (shown.page === 'done') {
      return {
        isNotified: mail.notifyChanged,
        hasEndedSessions: users === null || users.sessions !== null,
      }
    }
    return {
      account: shown.account,
      token: shown.token,
      csrf: formToken(this.#parts.services, shown.flow),
      confirm: password.confirm,
      hints: passwordHints(password, locale),
      rules: passwordRules(password),
    }
  }

  #sentData(flow: Flow, locale: Locale): View['data'] {
    const { config, clock } = this.#parts.services
    const pauses = config.limits.perAccount.filter((limit) => limit.count === 1)
    const pauseMs = Math.max(0, ...pauses.map((limit) => limit.windowMs))
    return {
      email: flow.email,
      sender: config.smtp.from.email,
      reference: showReference(flow.reference),
      expiresIn: locale.fromNow(flow.linkExpiresAt - clock.now()),
      isResent: flow.isResent,
      pause: pauseMs === 0 ? '' : locale.duration(pauseMs),
    }
  }

  #errorData(shown: ErrorPage, locale: Locale): View['data'] {
    const { linkLifetime } = this.#parts.services.config.recovery
    return {
      canResend: shown.flow !== undefined,
      incident: shown.incident ?? '',
      wait: shown.retryAfterMs === undefined ? '' : locale.duration(shown.retryAfterMs),
      lifetime: locale.duration(linkLifetime),
    }
  }
}

function status(shown: Shown): number {
  if (shown.page === 'error') return errorStatus[shown.reason]
  if (shown.page === 'reset' && shown.status !== undefined) return shown.status
  return 'problems' in shown && shown.problems.length > 0 ? 400 : 200
}
