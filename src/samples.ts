import { shades } from './colour.ts'
import type { Config } from './config/config.ts'
import type { Locale } from './locale/locale.ts'
import type { MailData, MailKind } from './mail/message.ts'
import { showReference } from './proof/reference.ts'
import type { Services } from './services.ts'
import { newFlow } from './steps/flow.ts'
import { type ErrorReason, errorStatus, failure, type Outcome } from './steps/outcome.ts'

const email = 'maria.lindqvist@example.com'
const reference = 'K7Q4MZ8P'
const lifetimeMs = 3_600_000
const codeLifetimeMs = 600_000

/** Every page in every state a visitor can meet it in, to be looked at without walking there. */
export function samplePages(
  { clock }: Pick<Services, 'clock'>,
  { tag }: Locale,
): readonly Exclude<Outcome, { page: 'redirect' }>[] {
  const linkExpiresAt = clock.now() + lifetimeMs
  const codeExpiresAt = clock.now() + codeLifetimeMs
  const start = { email, locale: tag, resetId: 'sample', reference, linkExpiresAt, codeExpiresAt }
  const flow = newFlow({ clock }, start)
  const reset = { page: 'reset', flow, account: email, token: '', problems: [] } as const
  return [
    { page: 'form', email: '', problems: [] },
    { page: 'form', email: 'maria', problems: [{ field: 'email', reason: 'email-invalid' }] },
    { page: 'sent', flow, problems: [] },
    { page: 'sent', flow: { ...flow, isResent: true }, problems: [] },
    {
      page: 'sent',
      flow,
      problems: [{ field: 'code', reason: 'code-wrong', values: { left: 4 } }],
    },
    { page: 'code', reference: showReference(reference), problems: [] },
    {
      page: 'code',
      reference: '',
      problems: [{ field: 'reference', reason: 'reference-missing' }],
    },
    reset,
    { ...reset, token: 'sample' },
    {
      ...reset,
      problems: [{ field: 'password', reason: 'password-too-short', values: { min: 15 } }],
    },
    { ...reset, problems: [{ field: 'confirm', reason: 'password-mismatch' }] },
    { ...reset, problems: [{ field: null, reason: 'page-outdated' }] },
    { page: 'done' },
    { page: 'revoke', token: 'sample' },
    { page: 'revoked' },
    ...Object.keys(errorStatus).map((reason) => failure(reason as ErrorReason)),
    failure('code-locked', { flow }),
    failure('code-locked', { retryAfterMs: 24 * lifetimeMs }),
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
