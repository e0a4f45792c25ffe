import type { Config } from '../config/config.ts'

/** What can stand in a mailed link; each is letters, digits, `-` and `_` alone. */
interface LinkValues {
  readonly token: string
  readonly reference: string
  /** The account's address, for a page that needs it, in a form that nobody else can read; made if it is needed. */
  readonly sealedEmail: () => string
}

/** Where a mailed link leads: to the page here, or to the site's own. */
export function mailedLink({ site, route, recovery }: Config, values: LinkValues): string {
  if (recovery.linkUrl === null) return `${site.url}${route}?token=${values.token}`
  const url = recovery.linkUrl.replace(
    /\{(token|reference|sealedEmail)\}/g,
    (_, name: keyof LinkValues) => (name === 'sealedEmail' ? values.sealedEmail() : values[name]),
  )
  return url.startsWith('/') ? `${site.url}${url}` : url
}
