import type { Locale } from '../locale/locale.ts'
import { showReference } from '../proof/reference.ts'
import type { Services } from '../services.ts'
import { type Flow, formToken } from '../steps/flow.ts'
import type { ErrorPage, Outcome, Redirect, ResetPage } from '../steps/outcome.ts'
import { errorText, passwordHints, passwordRules, type View } from './view.ts'

type PageServices = Pick<Services, 'config' | 'clock' | 'keys'>

/** What is shown, and not only led to. */
export type Shown = Exclude<Outcome, Redirect>

/** What a page's template can print of it, as `it.data.<name>`. */
export function pageData(shown: Shown, locale: Locale, services: PageServices): View['data'] {
  switch (shown.page) {
    case 'form':
      return { email: shown.email, mailed: mailed(services) }
    case 'sent':
      return sentData(shown.flow, locale, services)
    case 'code':
      return codeData(shown.reference, services)
    case 'reset':
      return resetData(shown, locale, services)
    case 'revoke':
      return { token: shown.token }
    case 'revoked':
    case 'done':
      return endData(services)
    case 'error':
      return errorData(shown, locale, services)
  }
}

function resetData(
  { account, token, flow }: ResetPage,
  locale: Locale,
  { keys, config }: PageServices,
): View['data'] {
  return {
    account,
    token,
    csrf: formToken(keys, flow),
    confirm: config.password.confirm,
    hints: passwordHints(config.password, locale),
    rules: passwordRules(config.password),
  }
}

function endData({ config }: PageServices): View['data'] {
  // Accounts in code end them with the change (users/users.ts).
  const isTable = typeof config.users === 'object' && config.users !== null
  const hasEndedSessions = !(isTable && config.users.sessions === null)
  return { isNotified: config.mail.notifyChanged, hasEndedSessions }
}

/** What a mail holds. */
function mailed({ config }: PageServices): 'link' | 'code' | 'both' {
  const [method = 'link', other] = config.recovery.methods
  return other === undefined ? method : 'both'
}

function codeData(reference: string, { config }: PageServices): View['data'] {
  return { reference, digits: config.recovery.codeDigits }
}

function sentData(flow: Flow, locale: Locale, services: PageServices): View['data'] {
  const { config, clock } = services
  const pauses = config.limits.perAccount.filter((limit) => limit.count === 1)
  const hasLink = config.recovery.methods.includes('link')
  const pauseMs = Math.max(0, ...pauses.map((limit) => limit.windowMs))
  return {
    email: flow.email,
    sender: config.smtp.from.email,
    reference: showReference(flow.reference),
    expiresIn: hasLink ? locale.fromNow(flow.linkExpiresAt - clock.now()) : '',
    code: codeField(flow, locale, services),
    isResent: flow.isResent,
    pause: pauseMs === 0 ? '' : locale.duration(pauseMs),
  }
}

/** What the field for the code says; `null` where there are no codes. */
function codeField(
  { codeExpiresAt }: Flow,
  locale: Locale,
  { config, clock }: PageServices,
): object | null {
  if (codeExpiresAt === null || !config.recovery.methods.includes('code')) return null
  const leftMs = codeExpiresAt - clock.now()
  return {
    digits: config.recovery.codeDigits,
    expiresIn: leftMs > 0 ? locale.fromNow(leftMs) : '',
  }
}

function errorData(shown: ErrorPage, locale: Locale, { config }: PageServices): View['data'] {
  const { linkLifetime, methods } = config.recovery
  return {
    text: errorText(shown),
    hasLink: methods.includes('link'),
    canResend: shown.flow !== undefined,
    incident: shown.incident ?? '',
    wait: shown.retryAfterMs === undefined ? '' : locale.duration(shown.retryAfterMs),
    lifetime: locale.duration(linkLifetime),
  }
}
