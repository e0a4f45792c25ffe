import { compareSync } from 'bcryptjs'
import { expect } from 'vitest'
import { expectOrdinaryReset, newAccount, newAddress } from '../attacks/support.ts'
import { newPassword, oldPassword, route, type Site } from '../support/site.ts'
import type { Page } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'
import { linksOf, mailTo } from './support.ts'

/**
 * What holds after every fault, asked of whatever serves at the site's address: a server here, or one in a
 * process of its own, whose output is held against V5 when it has ended.
 *
 * V4 (no mail after its end) is checked by the mail cases Z1 and Z3, and by Z17 when the clock jumps.
 * V7 (fail closed) is checked by each case itself, which looks at answers and hashes while its fault lasts.
 *
 * @param passwords All that any account of the site may have by now.
 */
export async function expectInvariants(
  site: Site,
  passwords: readonly string[] = [oldPassword, newPassword],
): Promise<void> {
  await expectReady(site)
  await expectOneAnswer(site)
  await expectCleanLinks(site)
  await expectOrdinaryReset(site)
  expectWholeHashes(site, passwords)
  site.expectSilentLog()
}

/** V8: it lives, and says that it can do its work. */
async function expectReady({ url }: Site): Promise<void> {
  expect((await fetch(`${url}/health`)).status).toBe(200)
  // Whether the mail server can be reached is asked at most every ten seconds.
  await eventually(async () => (await fetch(`${url}/ready`)).status === 200, 20_000)
}

/** V1: an address with an account gets what one without gets. */
async function expectOneAnswer(site: Site): Promise<void> {
  const known = newAccount(site).email
  const answers = [known, newAddress()].map(async (email) => {
    const visitor = site.visitor()
    const page = await visitor.post(route, { email })
    expect(page.status).toBe(303)
    return [masked(page, email), masked(await visitor.follow(page), email)]
  })
  const [one, other] = await Promise.all(answers)
  expect(one).toEqual(other)
  await mailTo(site, known)
}

/** An answer without what differs from one request to the next. */
export function masked({ status, headers, body }: Page, email: string): unknown {
  const hidden = /set-cookie|date/
  return [
    status,
    [...headers].map(([name, value]) => (hidden.test(name) ? [name, value.length] : [name, value])),
    body.replaceAll(email, 'ADDRESS').replace(/\b[2-9A-Z]{4}-[2-9A-Z]{4}\b/g, 'REFERENCE'),
  ]
}

// What was found to be so stays so: it is not asked again after each fault of a file.
const wholeHashes = new Set<string>()
const deadLinks = new Set<string>()

/** V2: every hash is a whole one, of exactly one of the passwords. */
function expectWholeHashes(site: Site, passwords: readonly string[]): void {
  const hashes = site.database.prepare('select pw_hash from members').pluck().all() as string[]
  for (const hash of new Set(hashes.filter((each) => !wholeHashes.has(each)))) {
    expect(hash).toMatch(/^\$2b\$\d\d\$[./A-Za-z0-9]{53}$/)
    expect(passwords.filter((password) => compareSync(password, hash))).toHaveLength(1)
    wholeHashes.add(hash)
  }
}

/** V3: a mailed link leads to its form, or to a page that says why it does not. */
async function expectCleanLinks(site: Site): Promise<void> {
  const links = site.smtp.mails.flatMap(linksOf)
  for (const link of links.filter((each) => !deadLinks.has(each))) {
    const visitor = site.visitor()
    const page = await visitor.get(link)
    const shown = page.status === 303 ? await visitor.follow(page) : page
    const isWhole = shown.status === 200 && ['reset', 'revoke'].includes(shown.step)
    const isDead = [404, 410].includes(shown.status) && shown.step === 'error'
    expect([isWhole || isDead, shown.status, shown.reason]).toEqual([
      true,
      shown.status,
      shown.reason,
    ])
    if (isDead) deadLinks.add(link)
  }
}
