import type { Clock } from '../clock.ts'
import { shades } from '../colour.ts'
import type { Config } from '../config/config.ts'
import type { Locale } from '../locale/locale.ts'
import type { Locales } from '../locale/locales.ts'
import { accountMark, isUnchanged } from '../proof/account.ts'
import { newAsk } from '../proof/ask.ts'
import { linkToken } from '../proof/link.ts'
import { showReference } from '../proof/reference.ts'
import type { KeyRing } from '../proof/secret.ts'
import type { MailJob, MailKind, Reset, Resets } from '../store/store.ts'
import type { Templates } from '../templates.ts'
import type { User } from '../user.ts'
import type { Users } from '../users/users.ts'
import type { Writer } from './courier.ts'
import type { Message } from './mailer.ts'
import { compose, type MailData, mailLanguage } from './message.ts'

export interface WriterParts {
  readonly config: Config
  readonly clock: Clock
  readonly keys: KeyRing
  readonly resets: Resets
  readonly users: Users
  readonly locales: Locales
  readonly templates: Templates
}

/**
 * Finds out, when a mail is to be sent, whom it goes to and what it says: the account is looked up and
 * the secret derived here, long after the visitor was answered.
 */
export class AccountWriter implements Writer {
  readonly #parts: WriterParts

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  async write(job: MailJob): Promise<Message | null> {
    const reset = await this.#parts.resets.find(job.resetId)
    if (reset === null) return null
    return job.kind === 'link' ? this.#writeLink(job, reset) : this.#writeChanged(job, reset)
  }

  async #writeLink(job: MailJob, reset: Reset): Promise<Message | null> {
    const { clock, keys, resets, config } = this.#parts
    if (reset.state !== 'live' || reset.expiresAt <= clock.now()) return null
    const user = await this.#findUser(job, reset)
    if (user === null) return null
    const token = linkToken(keys, reset.id, reset.tokenHash)
    const isBound = reset.accountMark === null || isUnchanged(keys, user, reset.accountMark)
    if (token === null || !isBound) {
      await this.#startAgain(job, reset)
      return null
    }
    const { locale, language } = this.#language('link', [user.locale ?? '', reset.locale])
    const mark = accountMark(keys, user)
    const assignment = { resetId: reset.id, userId: user.id, accountMark: mark, now: clock.now() }
    await resets.assign({ ...assignment, locale: locale.tag })
    const to = { id: job.id, address: user.email }
    return compose(this.#parts.templates, { kind: 'link', language }, to, {
      ...this.#common(user.email, user.name, reset),
      link: `${config.site.url}${config.route}?token=${token}`,
      expiresIn: locale.fromNow(reset.expiresAt - clock.now()),
      expiresAt: locale.instant(reset.expiresAt),
    })
  }

  async #writeChanged(job: MailJob, reset: Reset): Promise<Message | null> {
    const { keys, users, templates } = this.#parts
    const address = job.sealedAddress && keys.open('recipient', job.sealedAddress)
    if (!address || reset.userId === null || reset.accountMark === null) return null
    const user = await users.findById(reset.userId)
    // The process died before it wrote the password: there is nothing to tell.
    if (user !== null && isUnchanged(keys, user, reset.accountMark)) return null
    const { locale, language } = this.#language('changed', [reset.locale])
    const to = { id: job.id, address }
    return compose(templates, { kind: 'changed', language }, to, {
      ...this.#common(address, user?.name ?? null, reset),
      changedAt: locale.instant(job.createdAt),
    })
  }

  /** The account a reset is for: known from its first mail, else looked up by the typed address. */
  async #findUser(job: MailJob, reset: Reset): Promise<User | null> {
    const { keys, users } = this.#parts
    if (reset.userId !== null) return users.findById(reset.userId)
    const typed = job.sealedAddress && keys.open('recipient', job.sealedAddress)
    return typed ? users.findByEmail(typed) : null
  }

  /** The account has changed, or the secret was retired, since the first mail: only a new link can work. */
  async #startAgain(job: MailJob, reset: Reset): Promise<void> {
    const { clock, keys, resets } = this.#parts
    await resets.end(reset.id, 'revoked', clock.now())
    const typed = job.sealedAddress && keys.open('recipient', job.sealedAddress)
    // This request was counted when it was made.
    if (typed) await resets.ask({ ...newAsk(typed, reset.locale, this.#parts), limits: [] })
  }

  /** The mail's language: the first wish that is on offer and has such a mail. */
  #language(kind: MailKind, wishes: readonly string[]): { locale: Locale; language: string } {
    const { locales, templates } = this.#parts
    const chosen = locales.choose(wishes, '')
    const language = mailLanguage(templates, kind, chosen)
    return { language, locale: locales.find(language) ?? chosen }
  }

  #common(account: string, name: string | null, reset: Reset): MailData {
    const { config } = this.#parts
    const { accent } = config.theme
    return {
      site: config.site.name,
      siteUrl: config.site.url,
      account,
      name: plainName(name),
      formUrl: `${config.site.url}${config.route}`,
      supportUrl: absolute(config.site.supportUrl, config.site.url),
      reference: showReference(reset.reference),
      colours: { light: shades(accent, 'light'), dark: shades(accent, 'dark') },
    }
  }
}

// A name is whatever somebody typed at sign-up: one with a link in it is an advertisement that our
// mail would deliver.
function plainName(name: string | null): string {
  const text = (name ?? '').replace(/\p{Cc}+/gu, ' ').trim()
  return text.length > 60 || /[:/@]|\w\.\w/.test(text) ? '' : text
}

function absolute(link: string | null, siteUrl: string): string {
  return link === null ? '' : new URL(link, siteUrl).href
}
