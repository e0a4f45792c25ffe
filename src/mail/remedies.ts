import type { FailureKind } from './mailer.ts'

/** What the owner can do about a mail that was not accepted. */
export const remedies: Readonly<Record<FailureKind, string>> = {
  unreachable:
    'Check smtp.host, smtp.port and smtp.secure (465: true, 587: false), the firewall between, and smtp.tls.ca for a certificate of your own',
  'sign-in': 'Check smtp.user and smtp.pass; some providers want a password made for programs',
  later:
    'The server takes no mail now, or not yet from a sender it does not know: try again in some minutes',
  refused:
    'Check smtp.from.email and smtp.returnPath: the server must be allowed to send for them; and the address',
}
