import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { domainOf } from '../address.ts'
import type { Config, DkimKey } from '../config/config.ts'
import { isLoopback } from '../network.ts'
import { type Finding, fault, good, warning } from './finding.ts'

/** What names are looked up with: `Resolver` of `node:dns/promises`, or a part of it. */
export interface Names {
  resolveTxt(name: string): Promise<string[][]>
  resolveMx(name: string): Promise<{ readonly exchange: string }[]>
}

/** Whether mail programs of others can tell that our mails are ours: SPF, DKIM, DMARC. */
export async function examineDns(
  { smtp, site, hasMailbox, recovery }: Config,
  names: Names,
): Promise<Finding[]> {
  const sender = domainOf(smtp.from.email)
  if (hasMailbox || isPrivate(sender)) return []
  try {
    const found = [
      await examineSpf(domainOf(smtp.returnPath), names),
      ...(await Promise.all(smtp.dkim.map((key) => examineDkim(key, names)))),
      await examineDmarc(sender, names),
      await examineMx(sender, names),
    ]
    const isElsewhere = !isWithin(new URL(site.url).hostname, sender)
    if (isElsewhere && recovery.methods.includes('code')) found.push(elsewhere(sender, site.url))
    return found
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    const text = `the names of ${sender} cannot be looked up here (${code}): SPF, DKIM and DMARC were not examined`
    return [warning('dns', text, 'run doctor where DNS can be reached')]
  }
}

async function examineSpf(domain: string, names: Names): Promise<Finding> {
  const records = (await texts(domain, names)).filter((text) => /^v=spf1\b/i.test(text))
  const [record = ''] = records
  if (records.length > 1) {
    return fault(
      'dns',
      `${domain} has ${records.length} SPF records: receivers take none of them`,
      'leave one',
    )
  }
  if (record === '') {
    const remedy = `add a TXT record to ${domain}, such as "v=spf1 include:<your mail provider> -all"`
    return warning('dns', `${domain} has no SPF record: mails may count as spam`, remedy)
  }
  if (/[ +]all$/i.test(record.replace(/[-~?]all$/i, ''))) {
    return fault(
      'dns',
      `the SPF record of ${domain} lets anybody send for it (+all)`,
      'end it with -all',
    )
  }
  return good('dns', `${domain} has an SPF record`)
}

async function examineDkim({ domain, selector, key }: DkimKey, names: Names): Promise<Finding> {
  const name = `${selector}._domainkey.${domain}`
  const record = (await texts(name, names)).find((text) => /\bp=/.test(text))
  const ours = createPublicKey(createPrivateKey(readFileSync(key))).export({
    type: 'spki',
    format: 'der',
  })
  const value = ours.toString('base64')
  if (record === undefined) {
    return fault(
      'dns',
      `${name} has no DKIM record: signed mails count as forged`,
      `add the TXT record "v=DKIM1; k=rsa; p=${value}"`,
    )
  }
  const [, published = ''] = /\bp=([A-Za-z0-9+/=\s]*)/.exec(record) ?? []
  // An Ed25519 key is published without its frame (RFC 8463 §4.2).
  const isSame = [value, ours.subarray(-32).toString('base64')].includes(
    published.replace(/\s/g, ''),
  )
  if (!isSame) {
    return fault(
      'dns',
      `${name} has the DKIM record of another key than smtp.dkim.key`,
      `set its p= to ${value}`,
    )
  }
  return good('dns', `${name} has the DKIM record of smtp.dkim.key`)
}

async function examineDmarc(domain: string, names: Names): Promise<Finding> {
  for (const holder of withParents(domain)) {
    const record = (await texts(`_dmarc.${holder}`, names)).find((text) =>
      /^v=DMARC1\b/i.test(text),
    )
    if (record !== undefined) return good('dns', `${holder} has a DMARC record`)
  }
  const remedy = `add the TXT record "v=DMARC1; p=none" to _dmarc.${domain}: large providers ask for one`
  return warning('dns', `${domain} has no DMARC record`, remedy)
}

/** RFC 9091 looks upwards in the tree: the policy of a domain above counts for those below. */
function withParents(domain: string): string[] {
  const labels = domain.split('.')
  return labels.slice(0, -1).map((_, index) => labels.slice(index).join('.'))
}

async function examineMx(domain: string, names: Names): Promise<Finding> {
  const servers = await orNone(names.resolveMx(domain))
  // RFC 7505: one without a name says that the domain takes no mail.
  if (servers.some(({ exchange }) => !['', '.'].includes(exchange)))
    return good('dns', `${domain} takes answers`)
  const text = `${domain} has no MX record: nobody can answer, and some servers refuse mails from it`
  return warning('dns', text, 'let smtp.from.email be of a domain that takes mail')
}

function elsewhere(sender: string, url: string): Finding {
  const text = `smtp.from.email is of ${sender} and not of ${new URL(url).hostname}: telephones do not fill in codes from such mails`
  return warning('dns', text, 'send from the domain of site.url')
}

async function texts(name: string, names: Names): Promise<string[]> {
  return (await orNone(names.resolveTxt(name))).map((parts) => parts.join(''))
}

/** A name that is not there has no records; anything else is no answer. */
async function orNone<T>(answer: Promise<T[]>): Promise<T[]> {
  try {
    return await answer
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (['ENOTFOUND', 'ENODATA'].includes(code)) return []
    throw error
  }
}

// RFC 2606 and RFC 6762: names that no public DNS knows.
const unlisted = /(?:^|\.)(?:test|example|invalid|localhost|local|internal)$/

function isPrivate(domain: string): boolean {
  return unlisted.test(domain) || isLoopback(domain) || isIP(domain) !== 0 || !domain.includes('.')
}

function isWithin(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`) || domain.endsWith(`.${host}`)
}
