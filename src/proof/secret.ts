import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'

/** What a derived value is for: no value made for one purpose is accepted for another. */
type Purpose =
  | 'link'
  | 'code'
  | 'subject'
  | 'account'
  | 'client'
  | 'instance'
  | 'form'
  | 'revoke'
  | 'mark'
  | 'seal'
/** What a sealed text is for. */
type SealPurpose = 'flow' | 'recipient' | 'email'

/** At least one, the newest first. */
type NonEmpty<T> = readonly [T, ...T[]]

// The shape of what is sealed: with another number, what was sealed before is not read wrongly but not at all.
const sealVersion = 1
// NIST SP 800-38D §8.2.1: a random 96-bit IV, and the full 128-bit tag.
const ivBytes = 12
const tagBytes = 16

/**
 * The site's secrets. The first makes every new value; all of them recognize one, so that a secret can
 * be replaced while links and cookies made with the old one live out their time.
 */
export class KeyRing {
  readonly #keys: NonEmpty<KeyObject>
  readonly #sealingKeys: Readonly<Record<SealPurpose, NonEmpty<KeyObject>>>

  /** @param secrets At least one, each of 32 bytes or more. */
  constructor(secrets: NonEmpty<string>) {
    // Made into a key once: to do so each time takes longer than the MAC itself.
    this.#keys = mapKeys(secrets, (secret) => createSecretKey(Buffer.from(secret)))
    this.#sealingKeys = {
      flow: this.#deriveSealing('flow'),
      recipient: this.#deriveSealing('recipient'),
      email: this.#deriveSealing('email'),
    }
  }

  /** HMAC-SHA-256 (RFC 2104) of a value under the first secret, in base64url. */
  mac(purpose: Purpose, value: string): string {
    return hmac(this.#keys[0], purpose, value)
  }

  /** The same under every secret, the newest first. */
  macs(purpose: Purpose, value: string): NonEmpty<string> {
    return mapKeys(this.#keys, (key) => hmac(key, purpose, value))
  }

  /** Whether `mac` is this value's under any of the secrets, compared in constant time. */
  verifies(purpose: Purpose, value: string, mac: string): boolean {
    return this.macs(purpose, value).some((made) => equal(made, mac))
  }

  /** Text that only this ring can read or make: AES-256-GCM under a key of its own purpose. */
  seal(purpose: SealPurpose, text: string): string {
    return encrypt(this.#sealingKeys[purpose][0], randomBytes(ivBytes), text)
  }

  /** The same, and the same each time: for what may be seen twice and must not look like two things. */
  sealStably(purpose: SealPurpose, text: string): string {
    // The IV depends on the text alone: no two texts meet under one (RFC 8452 §1 tells why that matters).
    const iv = Buffer.from(hmac(this.#keys[0], 'seal', `${purpose}:${text}`), 'base64url')
    return encrypt(this.#sealingKeys[purpose][0], iv.subarray(0, ivBytes), text)
  }

  /** The text, or `null` when it was not sealed by this ring for this purpose, or was changed since. */
  open(purpose: SealPurpose, sealed: string): string | null {
    const bytes = Buffer.from(sealed, 'base64url')
    // What is sealed has one spelling, and a decoder that is kind about others would open more.
    if (bytes.toString('base64url') !== sealed) return null
    if (bytes.length < ivBytes + tagBytes) return null
    for (const key of this.#sealingKeys[purpose]) {
      const text = decrypt(key, bytes)
      if (text !== null) return text
    }
    return null
  }

  // RFC 5869: one key a purpose, so that a sealed cookie can never be read as a sealed address.
  #deriveSealing(purpose: SealPurpose): NonEmpty<KeyObject> {
    const info = `fastify-forgot-password seal:${purpose}:${sealVersion}`
    return mapKeys(this.#keys, (key) =>
      createSecretKey(Buffer.from(hkdfSync('sha256', key, '', info, 32))),
    )
  }
}

/** A random identifier of 128 bits (OWASP ASVS 6.5.5 asks for 20 or more in a secret), in base64url. */
export function randomId(): string {
  return randomBytes(16).toString('base64url')
}

/**
 * A random identifier for a row, which sorts after those that were made before it: new rows stand side by side in
 * an index then, where random ones would each change a page of their own. 9 characters for the time, 22 for 128
 * random bits.
 */
export function rowId(now: number): string {
  return `${now.toString(36).padStart(9, '0')}${randomId()}`
}

/** SHA-256 in base64url. Enough for a value of 256 random bits: there is nothing to guess. */
export function digest(value: string): string {
  return hash('sha256', value, 'base64url')
}

/** Constant-time comparison of two texts. */
export function equal(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

function hmac(key: KeyObject, purpose: Purpose, value: string): string {
  return createHmac('sha256', key).update(`${purpose}:${value}`).digest('base64url')
}

function mapKeys<T, U>([first, ...rest]: NonEmpty<T>, map: (value: T) => U): NonEmpty<U> {
  return [map(first), ...rest.map(map)]
}

function encrypt(key: KeyObject, iv: Buffer, text: string): string {
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  const sealed = [iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]
  return Buffer.concat(sealed).toString('base64url')
}

function decrypt(key: KeyObject, bytes: Buffer): string | null {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes))
  decipher.setAuthTag(bytes.subarray(-tagBytes))
  try {
    const text = decipher.update(bytes.subarray(ivBytes, -tagBytes))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return null
  }
}
