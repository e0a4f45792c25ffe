import { shades } from './colour.ts'
import type { Config } from './config/config.ts'
import type { Locale } from './locale/locale.ts'
import type { MailData } from './mail/message.ts'
import { showReference } from './proof/reference.ts'
import type { Services } from './services.ts'
import { newFlow } from './steps/flow.ts'
import { type ErrorReason, errorStatus, failure, type Outcome } from './steps/outcome.ts'
import type { MailKind } from './store/store.ts'

const email = 'maria.lindqvist@example.com'
const reference = 'K7Q4MZ8P'
const lifetimeMs = 3_600_000

/** Every page in every state a visitor can meet it in, to be looked at without walking there. */
export function samplePages(
  { clock }: Pick<Services, 'clock'>,
  { tag }: Locale,
): readonly Exclude<Outcome, { page: 'redirect' }>[] {
  const linkExpiresAt = clock.now() + lifetimeMs
  const start = { email, locale: tag, resetId: 'sample', reference, linkExpiresAt }
  const flow = newFlow({ clock }, start)
  const reset = { page: 'reset', flow, account: email, token: '', problems: [] } as const
  return [
    { page: 'form', email: '', problems: [] },
    { page: 'form', email: 'maria', problems: [{ field: 'email', reason: 'email-invalid' }] },
    { page: 'sent', flow },
    { page: 'sent', flow: { ...flow, isResent: true } },
    reset,
    { ...reset, token: 'sample' },
    {
      ...reset,
      problems: [{ field: 'password', reason: 'password-too-short', values: { min: 15 } }],
    },
    { ...reset, problems: [{ field: null, reason: 'page-outdated' }] },
    { page: 'done' },
    ...Object.keys(errorStatus).map((reason) => failure(reason as ErrorReason)),
    failure('link-expired', { flow }),
    failure('too-many-requests', { retryAfterMs: 600_000 }),
    failure('internal', { incident: showReference(reference) }),
  ]
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
    supportUrl: `${site.url}/help`,
    reference: showReference(reference),
    colours: { light: shades(theme.accent, 'light'), dark: shades(theme.accent, 'dark') },
  }
  if (kind === 'changed') return { ...common, changedAt: locale.instant(clock.now()) }
  return {
    ...common,
    link: `${site.url}${route}?token=${'sample-'.repeat(6)}x`,
    expiresIn: locale.fromNow(lifetimeMs),
    expiresAt: locale.instant(at),
  }
}
