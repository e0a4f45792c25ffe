import type { Clock } from '../clock.ts'
import { shades } from '../colour.ts'
import type { Config } from '../config/config.ts'
import type { Locale } from '../locale/locale.ts'
import type { Locales } from '../locale/locales.ts'
import { accountMark, isUnchanged } from '../proof/account.ts'
import { codeOf } from '../proof/code.ts'
import { linkToken } from '../proof/link.ts'
import { showReference } from '../proof/reference.ts'
import { newResetRequest } from '../proof/reset-request.ts'
import { revokeToken } from '../proof/revoke.ts'
import type { KeyRing } from '../proof/secret.ts'
import type { Jobs, MailJob } from '../store/mail.ts'
import type { Reset, Resets } from '../store/store.ts'
import type { Templates } from '../templates.ts'
import type { User } from '../user.ts'
import type { Users } from '../users/users.ts'
import type { Draft, Writer } from './delivery.ts'
import { mailedLink } from './link.ts'
import { MailFailure } from './mailer.ts'
import { compose, type MailData, type MailKind, mailLanguage } from './message.ts'

interface WriterParts {
  readonly config: Config
  readonly clock: Clock
  readonly keys: KeyRing
  readonly jobs: Pick<Jobs, 'tellNoAccount'>
  readonly resets: Resets
  readonly users: Users
  readonly locales: Locales
  readonly templates: Templates
}

/**
 * Finds out, when a mail is due, whom it goes to and what it says: the account is looked up, bound to the
 * reset, and the secret derived here, long after the visitor was answered.
 */
export class AccountWriter implements Writer {
  readonly #parts: WriterParts
  /** What all mails say. */
  readonly #site: Pick<MailData, 'site' | 'formUrl' | 'loginUrl' | 'supportUrl' | 'colours'>

  constructor(parts: WriterParts) {
    const { site, route, theme } = parts.config
    this.#parts = parts
    this.#site = {
      site: site.name,
      formUrl: `${site.url}${route}`,
      loginUrl: new URL(site.loginUrl, site.url).href,
      supportUrl: site.supportUrl === null ? '' : new URL(site.supportUrl, site.url).href,
      colours: { light: shades(theme.accent, 'light'), dark: shades(theme.accent, 'dark') },
    }
  }

  async write(job: MailJob): Promise<Draft> {
    const reset = await this.#parts.resets.find(job.resetId)
    if (reset === null) return { dropped: 'ended' }
    return job.kind === 'changed' ? this.#writeChanged(job, reset) : this.#writeRecovery(job, reset)
  }

  async #writeRecovery(job: MailJob, reset: Reset): Promise<Draft> {
    const { clock, keys, resets, users, templates } = this.#parts
    const kind = await this.#recoveryKind(reset)
    if (kind === null || reset.state !== 'live' || reset.expiresAt <= clock.now())
      return { dropped: 'ended' }
    const typed = this.#addressOf(job)
    const user = await users.findByEmail(typed)
    if (user === null) return this.#writeNoAccount(typed, job, reset)
    if (user.canReset === false) return this.#writeElsewhere(user, job, reset)
    const token = linkToken(keys, reset.id, reset.tokenHash)
    if (token === null || !this.#isFor(user, reset)) return this.#beginAgain(typed, job)
    const { locale, language } = this.#language(kind, [user.locale ?? '', job.locale])
    await resets.assign({
      resetId: reset.id,
      userId: user.id,
      accountMark: accountMark(keys, user),
      locale: locale.tag,
      now: clock.now(),
    })
    const to = { id: job.id, address: user.email }
    const hasLink = this.#parts.config.recovery.methods.includes('link')
    const data = () => ({
      ...this.#common(user.email, user.name, reset),
      ...(kind === 'link' || hasLink ? this.#linkData(token, user, reset, locale) : {}),
      ...(kind === 'code' ? this.#codeData(reset, locale) : {}),
    })
    return { compose: () => compose(templates, { kind, language }, to, data()) }
  }

  /** To the typed address, since there is no other: where the site wants that, and once a day. */
  async #writeNoAccount(address: string, job: MailJob, reset: Reset): Promise<Draft> {
    const { clock, config, jobs, templates } = this.#parts
    const isWanted = config.recovery.unknownAddress === 'mail'
    if (!isWanted || !(await jobs.tellNoAccount(job.id, clock.now()))) {
      return { dropped: 'no-account' }
    }
    const { language } = this.#language('no-account', [job.locale])
    const data = this.#common(address, null, reset)
    const to = { id: job.id, address }
    return { compose: () => compose(templates, { kind: 'no-account', language }, to, data) }
  }

  #writeElsewhere(user: User, job: MailJob, reset: Reset): Draft {
    const { templates } = this.#parts
    const { language } = this.#language('elsewhere', [user.locale ?? '', job.locale])
    const data = this.#common(user.email, user.name, reset)
    const to = { id: job.id, address: user.email }
    return { compose: () => compose(templates, { kind: 'elsewhere', language }, to, data) }
  }

  /** Which mail it is to be: a code that has ended is not mailed, and without a link there is no mail then. */
  async #recoveryKind(reset: Reset): Promise<'link' | 'code' | null> {
    const { clock, config, resets } = this.#parts
    const { methods, dailyTries } = config.recovery
    const now = clock.now()
    if (methods.includes('code')) {
      // Whoever spends the day's tries of somebody else's address must not keep them out: a link does it too.
      if (await resets.isLockedToday(reset, now, dailyTries)) return 'link'
      if (reset.code !== null && reset.code.expiresAt > now) return 'code'
    }
    return methods.includes('link') ? 'link' : null
  }

  /** Whether a reset belongs to nobody yet, or to this account in its present state. */
  #isFor(user: User, { userId, accountMark: mark }: Reset): boolean {
    if (userId === null || mark === null) return true
    return userId === user.id && isUnchanged(this.#parts.keys, user, mark)
  }

  async #writeChanged(job: MailJob, reset: Reset): Promise<Draft> {
    const { clock, keys, resets, users, templates } = this.#parts
    if (reset.userId === null || reset.accountMark === null) return { dropped: 'no-account' }
    const user = await users.findById(reset.userId)
    if (user !== null && isUnchanged(keys, user, reset.accountMark)) {
      // The process died before it wrote the password: the link is the visitor's to use again.
      await resets.release(reset.id, clock.now())
      return { dropped: 'unchanged' }
    }
    const { locale, language } = this.#language('changed', [job.locale])
    const address = this.#addressOf(job)
    const data = {
      ...this.#common(address, user?.name ?? null, reset),
      changedAt: locale.instant(job.createdAt),
    }
    const to = { id: job.id, address }
    return { compose: () => compose(templates, { kind: 'changed', language }, to, data) }
  }

  /**
   * The address a job is about: the typed one, or the one that is to be told.
   *
   * @throws {MailFailure} when the secret it was sealed with is not in the ring any more.
   */
  #addressOf({ sealedAddress }: MailJob): string {
    const address = sealedAddress && this.#parts.keys.open('recipient', sealedAddress)
    if (address) return address
    const message =
      'The address cannot be read: it was sealed with a secret that is no longer listed'
    throw new MailFailure('refused', message)
  }

  /** The first mail was for another account or another state of it, or under a retired secret. */
  async #beginAgain(typed: string, job: MailJob): Promise<Draft> {
    const request = { ...newResetRequest(typed, job.locale, this.#parts), jobId: job.id }
    const reset = await this.#parts.resets.restart(request)
    return this.#writeRecovery({ ...job, resetId: reset.id, expiresAt: reset.expiresAt }, reset)
  }

  /** The mail's language: the first wish that is on offer and has such a mail. */
  #language(kind: MailKind, wishes: readonly string[]): { locale: Locale; language: string } {
    const { locales, templates } = this.#parts
    const chosen = locales.choose(wishes, '')
    const language = mailLanguage(templates, kind, chosen)
    return { language, locale: locales.exact(language) ?? chosen }
  }

  #common(account: string, name: string | null, reset: Reset): MailData {
    return {
      ...this.#site,
      account,
      name: plainName(name),
      reference: showReference(reset.reference),
      revokeUrl: `${this.#site.formUrl}?revoke=${revokeToken(this.#parts.keys, reset.id)}`,
    }
  }

  #linkData(token: string, user: User, reset: Reset, locale: Locale): Partial<MailData> {
    const { clock, config, keys } = this.#parts
    return {
      link: mailedLink(config, {
        token,
        reference: reset.reference,
        // The same each time, so that a mail that is sent again carries the same link.
        sealedEmail: () => keys.sealStably('email', user.email),
      }),
      expiresIn: locale.fromNow(reset.expiresAt - clock.now()),
      expiresAt: locale.instant(reset.expiresAt),
    }
  }

  #codeData({ id, tokenHash, code, reference }: Reset, locale: Locale): Partial<MailData> {
    const { clock, config, keys } = this.#parts
    if (code === null) return {}
    const digits = config.recovery.codeDigits
    return {
      code: codeOf(keys, { id, tokenHash, generation: code.generation }, digits) ?? '',
      codeUrl: `${config.site.url}${config.route}?step=code&reference=${showReference(reference)}`,
      codeExpiresIn: locale.fromNow(code.expiresAt - clock.now()),
      codeExpiresAt: locale.instant(code.expiresAt),
    }
  }
}

// A name is whatever somebody typed at sign-up: one with a link in it is an advertisement that our
// mail would deliver.
function plainName(name: string | null): string {
  const text = (name ?? '').replace(/[\p{Cc}\p{Cf}]+/gu, ' ').trim()
  return text.length > 60 || /[:/@]|[\p{L}\p{N}]\.[\p{L}\p{N}]/u.test(text) ? '' : text
}
