import { shades } from './colour.ts'
import type { Config } from './config/config.ts'
import type { Locale } from './locale/locale.ts'
import type { MailData, MailKind } from './mail/message.ts'
import { showReference } from './proof/reference.ts'
import type { Services } from './services.ts'
import { newFlow } from './steps/flow.ts'
import {
  type ErrorPage,
  type ErrorReason,
  errorStatus,
  type FieldReason,
  failure,
  type Outcome,
  type Problem,
} from './steps/outcome.ts'

const email = 'maria.lindqvist@example.com'
const reference = 'K7Q4MZ8P'
const lifetimeMs = 3_600_000
const codeLifetimeMs = 600_000

/** A page in one state that a visitor can meet it in. */
export interface Sample {
  /** Stable, so that it can be linked to: `sent-code-wrong`. */
  readonly name: string
  readonly outcome: Exclude<Outcome, { page: 'redirect' }>
}

/** Where each problem shows: without its line here, a reason does not compile. */
const problemPages: Readonly<Record<FieldReason, readonly ('form' | 'sent' | 'code' | 'reset')[]>> =
  {
    'email-missing': ['form'],
    'email-invalid': ['form'],
    'code-missing': ['sent', 'code'],
    'code-malformed': ['sent', 'code'],
    'code-wrong': ['sent', 'code'],
    'code-expired': ['sent', 'code'],
    'reference-missing': ['code'],
    'reference-unknown': ['code'],
    'password-missing': ['reset'],
    'password-characters': ['reset'],
    'password-too-short': ['reset'],
    'password-too-long': ['reset'],
    'password-too-many-bytes': ['reset'],
    'password-composition': ['reset'],
    'password-contains-email': ['reset'],
    'password-contains-site': ['reset'],
    'password-common': ['reset'],
    'password-breached': ['reset'],
    'password-used': ['reset'],
    'password-mismatch': ['reset'],
    'page-outdated': ['reset'],
  }

/** The figures that the texts of problems need. */
const problemValues: Readonly<Partial<Record<FieldReason, Problem['values']>>> = {
  'code-missing': { digits: 6 },
  'code-malformed': { digits: 6 },
  'code-wrong': { left: 4 },
  'password-too-short': { min: 15 },
  'password-too-long': { max: 128 },
  'password-too-many-bytes': { max: 72 },
}

/** Error pages that always come with more than their reason. */
const errorDetails: Readonly<Partial<Record<ErrorReason, Omit<ErrorPage, 'page' | 'reason'>>>> = {
  'codes-off': { retryAfterMs: 3_000_000 },
  'too-many-requests': { retryAfterMs: 600_000 },
  internal: { incident: showReference(reference) },
}

/** Every page in every state a visitor can meet it in, to be looked at without walking there. */
export function samplePages(
  { clock }: Pick<Services, 'clock'>,
  { tag }: Pick<Locale, 'tag'>,
): readonly Sample[] {
  const linkExpiresAt = clock.now() + lifetimeMs
  const codeExpiresAt = clock.now() + codeLifetimeMs
  const start = { email, locale: tag, resetId: 'sample', reference, linkExpiresAt, codeExpiresAt }
  const flow = newFlow({ clock }, start)
  const pages = {
    form: { page: 'form', email: '', problems: [] },
    sent: { page: 'sent', flow, problems: [] },
    code: { page: 'code', reference: showReference(reference), problems: [] },
    reset: { page: 'reset', flow, account: email, token: '', problems: [] },
  } as const
  const wrong = (Object.keys(problemPages) as FieldReason[]).flatMap((reason) =>
    problemPages[reason].map((page) => wrongPage(pages[page], reason)),
  )
  const error = (name: string, reason: ErrorReason, rest: Partial<ErrorPage> = {}): Sample => ({
    name: `error-${name}`,
    outcome: failure(reason, { ...errorDetails[reason], ...rest }),
  })
  const wrongOn = (page: string) => wrong.filter(({ outcome }) => outcome.page === page)
  return [
    { name: 'form', outcome: pages.form },
    ...wrongOn('form'),
    { name: 'sent', outcome: pages.sent },
    { name: 'sent-resent', outcome: { ...pages.sent, flow: { ...flow, isResent: true } } },
    { name: 'sent-code-over', outcome: { ...pages.sent, flow: { ...flow, codeExpiresAt: 0 } } },
    ...wrongOn('sent'),
    { name: 'code', outcome: pages.code },
    ...wrongOn('code'),
    { name: 'reset', outcome: pages.reset },
    { name: 'reset-token', outcome: { ...pages.reset, token: 'sample' } },
    ...wrongOn('reset'),
    { name: 'done', outcome: { page: 'done' } },
    { name: 'revoke', outcome: { page: 'revoke', token: 'sample' } },
    { name: 'revoked', outcome: { page: 'revoked' } },
    ...(Object.keys(errorStatus) as ErrorReason[]).map((reason) => error(reason, reason)),
    error('code-locked-resend', 'code-locked', { flow }),
    error('code-locked-today', 'code-locked', { retryAfterMs: 24 * lifetimeMs }),
    error('link-expired-resend', 'link-expired', { flow }),
    error('link-used-resend', 'link-used', { flow }),
    error('link-replaced-resend', 'link-replaced', { flow }),
  ]
}

type FieldPage = Extract<Sample['outcome'], { readonly problems: readonly Problem[] }>

function wrongPage(shown: FieldPage, reason: FieldReason): Sample {
  const values = problemValues[reason]
  const problem = { field: fieldOf(reason), reason, ...(values === undefined ? {} : { values }) }
  const outcome = { ...shown, problems: [problem] }
  const name = `${shown.page}-${reason}`
  if (outcome.page === 'form' && reason === 'email-invalid') {
    return { name, outcome: { ...outcome, email: 'maria' } }
  }
  if (outcome.page === 'code' && problem.field === 'reference') {
    return { name, outcome: { ...outcome, reference: reason.endsWith('missing') ? '' : 'K7Q4' } }
  }
  return { name, outcome }
}

function fieldOf(reason: FieldReason): Problem['field'] {
  if (reason === 'page-outdated') return null
  if (reason === 'password-mismatch') return 'confirm'
  return reason.replace(/-.*$/, '') as Exclude<Problem['field'], null>
}

/** What a mail says in an ordinary case. */
export function sampleMail(
  kind: MailKind,
  locale: Locale,
  { config, clock }: { readonly config: Config } & Pick<Services, 'clock'>,
): MailData {
  const { site, route, theme } = config
  const at = clock.now() + lifetimeMs
  const common = {
    site: site.name,
    account: email,
    name: 'Maria Lindqvist',
    formUrl: `${site.url}${route}`,
    loginUrl: new URL(site.loginUrl, site.url).href,
    supportUrl: `${site.url}/help`,
    reference: showReference(reference),
    revokeUrl: `${site.url}${route}?revoke=${'sample'.repeat(11)}`,
    colours: { light: shades(theme.accent, 'light'), dark: shades(theme.accent, 'dark') },
  }
  if (kind === 'changed') return { ...common, changedAt: locale.instant(clock.now()) }
  const code = {
    code: '048213',
    codeUrl: `${site.url}${route}?step=code&reference=${showReference(reference)}`,
    codeExpiresIn: locale.fromNow(codeLifetimeMs),
    codeExpiresAt: locale.instant(clock.now() + codeLifetimeMs),
  }
  if (kind === 'code' && !config.recovery.methods.includes('link')) return { ...common, ...code }
  if (kind === 'no-account' || kind === 'elsewhere') return common
  return {
    ...common,
    ...(kind === 'code' ? code : {}),
    link: `${site.url}${route}?token=${'sample-'.repeat(6)}x`,
    expiresIn: locale.fromNow(lifetimeMs),
    expiresAt: locale.instant(at),
  }
}
