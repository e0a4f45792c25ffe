import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { domainOf } from '../address.ts'
import type { DkimKey, Parsed, Relay, Smtp } from './config.ts'
import type { Path } from './problems.ts'
import type { Source } from './source.ts'

type Keys = Parsed['smtp']
type RelayKeys = NonNullable<Keys['fallback']>

/** The absolute path of a file that must be there; `null` for none. */
type FileAt = (at: Path, name: string | null) => string | null

/** `smtp:` with its servers in the order in which they are tried, its paths absolute, its senders named. */
export function finishSmtp(
  smtp: Keys,
  { from, source, file }: { from: Smtp['from']; source: Source; file: FileAt },
): Smtp {
  const { domainLimits, headers, limit, pool, replyTo, timeout } = smtp
  const main = toRelay(smtp, ['smtp'], source, file)
  const second = smtp.fallback && toRelay(smtp.fallback, ['smtp', 'fallback'], source, file)
  if (smtp.fallback !== null && second === null)
    source.refuse(['smtp', 'fallback', 'host'], 'is required')
  if (second !== null && main === null)
    source.refuse(['smtp', 'host'], 'is required with smtp.fallback')
  const sendmail = file(['smtp', 'sendmail'], smtp.sendmail)
  if (sendmail !== null && main !== null)
    source.refuse(['smtp', 'sendmail'], 'cannot be set beside a mail server: set one of them')
  return {
    ...{ domainLimits, headers, limit, pool, replyTo, timeout, from, sendmail },
    relays: [main, second].filter((relay) => relay !== null),
    returnPath: smtp.returnPath ?? from.email,
    dkim: dkimKeys(smtp, domainOf(from.email), source, file),
  }
}

/** One mail server, by its URL or its parts; `null` when neither names one. */
function toRelay(keys: RelayKeys, at: Path, source: Source, file: FileAt): Relay | null {
  const { url, host, port, secure, starttls, clientName, user, pass } = keys
  const tls = { ...keys.tls, ca: file([...at, 'tls', 'ca'], keys.tls.ca) }
  if (url !== null) {
    for (const [name, value] of Object.entries({ host, user, pass })) {
      if (value !== null) source.refuse([...at, name], `cannot be set beside ${at.join('.')}.url`)
    }
    return { ...readUrl(url), starttls, clientName, tls }
  }
  if (pass !== null && user === null)
    source.refuse([...at, 'user'], `is required with ${at.join('.')}.pass`)
  if (user !== null && pass === null)
    source.refuse([...at, 'pass'], `is required with ${at.join('.')}.user`)
  return host === null ? null : { host, port, secure, starttls, clientName, user, pass, tls }
}

function readUrl(text: string): Pick<Relay, 'host' | 'port' | 'secure' | 'user' | 'pass'> {
  const { protocol, hostname, port, username, password } = new URL(text)
  const secure = protocol === 'smtps:'
  const isAnonymous = username === ''
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    // RFC 8314 §3.3 and RFC 6409 §3.1.
    port: port === '' ? (secure ? 465 : 587) : Number(port),
    secure,
    user: isAnonymous ? null : decodeURIComponent(username),
    pass: isAnonymous ? null : decodeURIComponent(password),
  }
}

function dkimKeys({ dkim }: Keys, sender: string, source: Source, file: FileAt): DkimKey[] {
  const list = [dkim ?? []].flat()
  return list.map(({ selector, domain, key }, index) => {
    const at = ['smtp', 'dkim', ...(Array.isArray(dkim) ? [index] : []), 'key']
    const path = file(at, key) ?? ''
    const fault = keyFault(path)
    if (fault !== null) source.refuse(at, fault)
    return { selector, domain: domain ?? sender, key: path }
  })
}

// RFC 8301 §3.2: verifiers do not accept less.
const shortestKeyBits = 1024
const keyRule =
  'must be an RSA private key in PEM without a passphrase: make one with "openssl genrsa -out dkim.pem 2048"'

/** Why a file is no key to sign with, in words without its content; `null` when it is one. */
function keyFault(path: string): string | null {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(readFileSync(path))
    const bits = asymmetricKeyDetails?.modulusLength ?? 0
    return asymmetricKeyType === 'rsa' && bits >= shortestKeyBits ? null : keyRule
  } catch {
    return keyRule
  }
}
