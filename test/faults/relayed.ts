import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import type { ConfigInput } from '../../src/config/config.ts'
import type { AuditRow, JobRow } from '../../src/store/schema.ts'
import { hastened } from '../support/clock.ts'
import { Relay } from '../support/relay.ts'
import { route, Site } from '../support/site.ts'
import { eventually } from '../support/wait.ts'
import { expectInvariants } from './invariants.ts'

const user = 'library'
const pass = 'the password at the relay'

/** A site that gives its mails to a relay, which puts those it takes into `site.smtp.mails`. */
export async function startSiteOf(relay: Relay, config: ConfigInput = {}): Promise<Site> {
  const site = await Site.start({
    ...config,
    smtp: { port: relay.port, user, pass, ...config.smtp },
  })
  relay.deliverTo(site.smtp)
  // As it is, and as a client says it.
  for (const text of [pass, `\0${user}\0${pass}`])
    for (const secret of [text, Buffer.from(text).toString('base64')]) site.secrets.add(secret)
  // The question at the start whether mail can be sent has a connection of its own.
  await site.visitor().get('/ready')
  return site
}

/** What holds after every fault, when it is over. */
export async function expectHealed(site: Site, relay: Relay): Promise<void> {
  await relay.heal()
  await hastened(expectInvariants(site))
}

/** One site and its relay, for the cases of a block: each begins where nothing was ever asked for. */
export class Relayed {
  #relay: Relay | null = null
  #site: Site | null = null

  /** @param prepare Does something to the relay before it is first asked. */
  constructor(config: ConfigInput = {}, prepare: (relay: Relay) => void = () => {}) {
    beforeAll(async () => {
      const relay = await Relay.start()
      prepare(relay)
      this.#relay = relay
      this.#site = await startSiteOf(relay, config)
    })
    beforeEach(() => this.#forget())
    afterEach(() => expectHealed(this.site, this.relay))
    afterAll(async () => {
      await this.relay.stop()
      await this.site.stop()
    })
  }

  get relay(): Relay {
    return started(this.#relay)
  }

  get site(): Site {
    return started(this.#site)
  }

  async #forget(): Promise<void> {
    const { site, relay } = this
    await letTimePass(site, async () =>
      (await jobsOf(site)).every(({ ended_at }) => ended_at !== null),
    )
    await site.store.execute(
      'delete from mail_job; delete from password_reset; delete from audit_event',
    )
    for (const seen of [site.logLines, site.smtp.mails]) seen.length = 0
    relay.forget()
  }
}

function started<Part>(part: Part | null): Part {
  if (part === null) throw new Error('It has not been started')
  return part
}

/** Asks for a mail to each address, and is answered in the same way and at once, however the relay is. */
export async function ask(site: Site, ...emails: string[]): Promise<void> {
  for (const email of emails) {
    const askedAt = performance.now()
    const page = await site.visitor().post(route, { email })
    expect([page.status, page.headers.get('location')]).toEqual([303, `${route}?step=sent`])
    expect(performance.now() - askedAt).toBeLessThan(1000)
    // What was asked for later is known by its time.
    site.clock.move(1)
  }
}

/** The mails that a site owes or owed, in the order in which they were asked for. */
export function jobsOf(site: Site): Promise<JobRow[]> {
  return site.rows<JobRow>('select * from mail_job order by created_at')
}

/** How often each of them was tried. */
export async function attemptsOf(site: Site): Promise<number[]> {
  return (await jobsOf(site)).map(({ attempts }) => attempts)
}

/** Why mails were given up, one reason for each. */
export async function failuresOf(site: Site): Promise<string[]> {
  const rows = await site.rows<AuditRow>("select * from audit_event where event = 'send_failed'")
  return rows.map(({ reason }) => reason)
}

/** The lines of the log at one level, the latest last. */
export function loggedBy(site: Site, level: 'warn' | 'error'): string[] {
  const lines = site.logLines.map((line) => JSON.parse(line) as { level: number; msg: string })
  return lines.filter((line) => line.level === { warn: 40, error: 50 }[level]).map(({ msg }) => msg)
}

/** Lets time pass, that of the site's clock in which mails wait too, until something has happened. */
export function letTimePass(site: Site, until: () => unknown, stepMs = 100): Promise<unknown> {
  const happened = eventually(async () => {
    site.clock.move(stepMs)
    return (await until()) || null
  })
  return hastened(happened)
}

export const allSent = async (site: Site): Promise<boolean> =>
  (await jobsOf(site)).every(({ state }) => state === 'sent')

/** Whether the owner was told that no mail can be handed over. */
export function isLeftAlone(site: Site): boolean {
  return loggedBy(site, 'error').some((line) => line.startsWith('the mail server cannot be used'))
}
