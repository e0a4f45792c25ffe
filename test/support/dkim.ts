import { createHash, createVerify, type KeyObject } from 'node:crypto'

/** Where a public key is published: `<selector>._domainkey.<domain>`. */
export type PublicKeys = (name: string) => KeyObject | null

/** One signature of a mail, and what is wrong with it; `null`: nothing. */
export interface Verdict {
  readonly selector: string
  readonly domain: string
  /** The headers it stands for, in lower case. */
  readonly headers: readonly string[]
  readonly fault: string | null
}

interface Field {
  /** In lower case. */
  readonly name: string
  /** With its name, its folds and without the last line end. */
  readonly text: string
}

/** Verifies every DKIM-Signature of a mail (RFC 6376 §6.1), of those that are relaxed/relaxed with rsa-sha256. */
export function verifyDkim(source: Buffer, keys: PublicKeys): Verdict[] {
  // One character for each byte.
  const text = source.toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  const fields = splitFields(text.slice(0, end))
  const bodyHash = createHash('sha256')
    .update(relaxBody(text.slice(end + 4)), 'latin1')
    .digest('base64')
  return fields
    .filter(({ name }) => name === 'dkim-signature')
    .map((signature) => {
      const tags = readTags(signature.text)
      const tag = (name: string) => tags.get(name) ?? ''
      const headers = tag('h').toLowerCase().split(':')
      const about = { selector: tag('s'), domain: tag('d'), headers }
      return { ...about, fault: faultOf(signature, fields, { tag, headers, bodyHash, keys }) }
    })
}

function faultOf(
  signature: Field,
  fields: readonly Field[],
  {
    tag,
    headers,
    bodyHash,
    keys,
  }: {
    tag: (name: string) => string
    headers: readonly string[]
    bodyHash: string
    keys: PublicKeys
  },
): string | null {
  const kind = ['v', 'a', 'c'].map(tag).join(' ')
  if (kind !== '1 rsa-sha256 relaxed/relaxed') return `it is of another kind: ${kind}`
  // §5.4: without it, anybody could be the author.
  if (!headers.includes('from')) return 'it does not stand for From'
  if (tag('bh') !== bodyHash) return 'the body has changed'
  const key = keys(`${tag('s')}._domainkey.${tag('d')}`)
  if (key === null) return 'there is no such key'
  const empty = { ...signature, text: signature.text.replace(/(;\s*b=)[^;]*/, '$1') }
  const signed = [...pick(fields, headers), empty].map(relaxField).join('\r\n')
  const verifier = createVerify('RSA-SHA256').update(signed, 'latin1')
  return verifier.verify(key, tag('b'), 'base64') ? null : 'the headers have changed'
}

function splitFields(head: string): Field[] {
  return head.split(/\r\n(?![ \t])/).map((text) => ({
    name: text.slice(0, text.indexOf(':')).trim().toLowerCase(),
    text,
  }))
}

/** §3.2. The tags that are read hold no white space that counts. */
function readTags(signature: string): Map<string, string> {
  const list = signature.slice(signature.indexOf(':') + 1).split(';')
  return new Map(
    list.map((tag) => {
      const at = tag.indexOf('=')
      return [tag.slice(0, at).trim(), tag.slice(at + 1).replace(/\s+/g, '')]
    }),
  )
}

/** §5.4.2: of headers with one name, the last that was not yet taken; one that is not there counts as empty. */
function pick(fields: readonly Field[], names: readonly string[]): Field[] {
  const left = [...fields]
  return names.flatMap((name) => {
    const at = left.findLastIndex((field) => field.name === name)
    return at === -1 ? [] : left.splice(at, 1)
  })
}

/** §3.4.2. */
function relaxField({ name, text }: Field): string {
  const value = text.slice(text.indexOf(':') + 1)
  return `${name}:${value
    .replace(/\r\n/g, '')
    .replace(/[ \t]+/g, ' ')
    .trim()}`
}

/** §3.4.4. */
function relaxBody(body: string): string {
  const lines = body.split('\r\n').map((line) => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''))
  const text = lines.join('\r\n').replace(/(?:\r\n)+$/, '')
  return text === '' ? '' : `${text}\r\n`
}
