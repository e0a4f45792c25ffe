import { Agent } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { User } from '../../src/user.ts'
import type { Users } from '../../src/users/users.ts'
import { minutes, seconds } from '../support/clock.ts'
import { newPassword, route, type Site } from '../support/site.ts'
import { linkIn, type Refusal } from '../support/smtp.ts'
import type { Page } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'
import { Client, outcome } from './client.ts'
import { type Answer, exchange } from './raw.ts'
import {
  attackedSite,
  type Format,
  form,
  formats,
  json,
  newAccount,
  newAddress,
  settled,
  watchMail,
} from './support.ts'

const mostMails = 5
const elsewhere = 'Elsewhere'
const site = attackedSite({
  recovery: { methods: ['link', 'code'] },
  limits: { perAccount: `${mostMails}/1h`, perClient: 'off', badProofs: 'off' },
  // How long a connection to the mail server is kept that nothing is sent on.
  smtp: { timeout: '1s' },
})

/** What an address can be. All that are made here have the same length. */
const kinds = {
  known: async () => newAccount(site()).email,
  unknown: async () => newAddress(),
  disabled: async () => newAccount(site(), { active: 0 }).email,
  'that of two accounts': async () => {
    const { email } = newAccount(site())
    newAccount(site(), { email })
    return email
  },
  'beyond its limit': () => beyondLimit(newAccount(site()).email),
  'unknown and beyond its limit': () => beyondLimit(newAddress()),
} as const
type Kind = keyof typeof kinds
const others = (Object.keys(kinds) as Kind[]).filter((kind) => kind !== 'known')

async function beyondLimit(email: string): Promise<string> {
  const client = new Client(site(), json)
  for (let each = 0; each < mostMails; each += 1) await client.ask(email)
  return email
}

/** The bytes of a body in a format, and their type. */
const sendable = (format: Format, fields: Record<string, string>) =>
  format === form
    ? {
        type: 'application/x-www-form-urlencoded',
        body: new URLSearchParams(fields).toString(),
      }
    : { type: 'application/json', body: JSON.stringify(fields) }

/** Everything that came over the wire, in its order, but for what is drawn or sealed anew each time. */
function seen(answers: readonly Answer[], email: string): readonly Answer[] {
  const references: string[] = []
  const number = (reference: string) => {
    if (!references.includes(reference)) references.push(reference)
    return `REF ${references.indexOf(reference)}`
  }
  return answers.map(({ status, headers, body }) => ({
    status,
    headers: headers.map((line) =>
      line
        .replace(/^(date:).*/i, '$1')
        .replace(/forgot=[\w-]+/, (sealed) => `forgot=(${sealed.length})`),
    ),
    body: body.replaceAll(email, '…').replaceAll(/[2-9A-Z]{4}-[2-9A-Z]{4}/g, number),
  }))
}

/** What a browser without JavaScript is shown of a request and of what follows it, or a program is told. */
async function dialogue(
  on: Site,
  format: Format,
  email: string,
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  let cookie = ''
  const keep = (answer: Answer) => {
    cookie = /forgot=[\w-]+/.exec(answer.headers.join('\n'))?.[0] ?? cookie
    answers.push(answer)
  }
  const send = async (fields: Record<string, string>) => {
    const { type, body } = sendable(format, fields)
    const headers = { 'content-type': type, cookie }
    keep(await exchange(on, { method: 'POST', headers, body }))
    const query = format === form ? '?step=sent' : '?step=code'
    const accept = format === form ? 'text/html' : 'application/json'
    keep(await exchange(on, { path: `${route}${query}`, headers: { accept, cookie } }))
  }
  await send({ email })
  await meanwhile()
  await send(format === form ? { resend: '1' } : { email })
  await send({ code: '000000', email })
  return seen(answers, email)
}

describe.each([
  ['E1', 'HTML', form, '303 See Other'],
  ['E2', 'JSON', json, '202 Accepted'],
] as const)('%s in %s', (name, _, format, accepted) => {
  it.each(others)(
    `${name} answers an address that is %s as a known one, to the byte`,
    async (kind) => {
      const known = await dialogue(site(), format, await kinds.known())
      expect(known.map(({ status }) => status)).toEqual([
        ...[accepted, '200 OK', accepted, '200 OK'],
        ...['400 Bad Request', '200 OK'],
      ])
      expect(await dialogue(site(), format, await kinds[kind]())).toEqual(known)
    },
  )

  it(`${name} looks the same however often and however it is spelt, and whatever became of the link`, async () => {
    const told = async (email: string, use: () => Promise<unknown>) => {
      const client = new Client(site(), format)
      const references: string[] = []
      const asked = async (typed: string) => {
        expect(outcome(await client.ask(typed))).toBe('sent')
        references.push(client.reference)
      }
      await asked(email)
      await asked(email.toUpperCase())
      await use()
      await asked(email)
      site().clock.move(minutes(31))
      await asked(email)
      await asked(email.toUpperCase())
      return references.map((reference) => references.indexOf(reference))
    }
    const { email } = newAccount(site())
    const use = async () => {
      const client = new Client(site(), form)
      await client.open(linkIn((await site().smtp.to(email))[0]))
      expect(outcome(await client.change(newPassword))).toBe('done')
    }
    const known = await told(email, use)
    expect(known).toEqual([0, 0, 0, 3, 3])
    expect(await told(newAddress(), async () => {})).toEqual(known)
  })
})

describe('where some people sign in elsewhere, and unknown addresses are written to', () => {
  const mixed = attackedSite(
    { recovery: { methods: ['link', 'code'], unknownAddress: 'mail' } },
    { users: usersOf(() => mixed()) },
  )

  it.each([
    ['E1', 'HTML', form],
    ['E2', 'JSON', json],
  ] as const)('%s answers all of them as a known one in %s, to the byte', async (_, __, format) => {
    const emails = [newAccount(mixed()), newAccount(mixed(), { name: elsewhere })].map(
      ({ email }) => email,
    )
    const mails = await watchMail(mixed())
    const [known, ...rest] = await Promise.all(
      [...emails, newAddress()].map((email) =>
        dialogue(mixed(), format, email, () => settled(mixed())),
      ),
    )
    for (const each of rest) expect(each).toEqual(known)
    // Two for each account, and one in a day for nobody's address.
    expect(await mails()).toHaveLength(5)
  })
})

describe('E5', () => {
  const dialogues = (email: () => string, meanwhile: () => Promise<unknown>) =>
    Promise.all(formats.map((format) => dialogue(site(), format, email(), meanwhile)))
  const known = () => newAccount(site()).email

  it.each<[string, Refusal]>([
    ['turns connections away', { at: 'connect', code: 421 }],
    ['refuses the recipient for now', { at: 'rcpt', code: 451 }],
    ['refuses the recipient for good', { at: 'rcpt', code: 550 }],
    ['refuses the mail', { at: 'data', code: 552 }],
    ['drops the mail', { at: 'data', code: 421 }],
  ])('E5 answers as for an unknown address while the mail server %s', async (_, refusal) => {
    const unknown = await dialogues(newAddress, () => settled(site()))
    if (refusal.at === 'connect') {
      // Without the connections that it has let in before.
      await site().smtp.stop()
      await site().smtp.listen()
    }
    const { refusals } = site().smtp
    refusals.push(refusal, refusal)
    expect(await dialogues(known, () => eventually(() => refusals.length === 0))).toEqual(unknown)
    await mailTheRest()
  })

  it('E5 answers as for an unknown address while there is no mail server, and mails later', async () => {
    const unknown = await dialogues(newAddress, () => settled(site()))
    const mails = await watchMail(site())
    await site().smtp.stop()
    const failed = "select 1 from mail_job where state = 'queued' and last_error is not null"
    // Once one of them has found it away, the others need not meet that themselves.
    const answers = await dialogues(known, () =>
      eventually(async () => (await site().rows(failed)).length > 0),
    )
    await site().smtp.listen()
    expect(answers).toEqual(unknown)
    await mailTheRest()
    expect(await mails()).toHaveLength(2 * formats.length)
  })

  /** Lets time go by until what was not refused for good is mailed. */
  async function mailTheRest(): Promise<void> {
    const count = async (state: string) =>
      (await site().rows(`select 1 from mail_job where state = '${state}'`)).length
    await eventually(async () => {
      // A mail that takes a minute by this clock would be taken for one that was lost.
      if ((await count('sending')) > 0) return false
      site().clock.move(seconds(1))
      return (await count('queued')) + (await count('sending')) === 0
    })
  }
})

describe.each(formats)('by $name', (format) => {
  it('E8 tells nothing by cookies, lengths, tags, times or connections', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const send = async (kind: Kind) => {
      const email = await kinds[kind]()
      const { type, body } = sendable(format, { email })
      const headers = { 'content-type': type, 'if-none-match': '*', range: 'bytes=0-9' }
      const before = Math.floor(Date.now() / 1000) * 1000
      const answer = await exchange(site(), { method: 'POST', headers, body, agent })
      const date = Date.parse(/^date: (.*)$/im.exec(answer.headers.join('\n'))?.[1] ?? '')
      expect(date).toBeGreaterThanOrEqual(before)
      expect(date).toBeLessThanOrEqual(Date.now())
      return seen([answer], email)[0]
    }
    const known = await send('known')
    const names = known?.headers.map((line) => line.split(': ')[0]?.toLowerCase())
    expect(names).toContain('content-length')
    expect(names).not.toContain('etag')
    expect(names).not.toContain('last-modified')
    expect(known?.headers).toContainEqual(expect.stringMatching(/^connection: keep-alive$/i))
    for (const kind of others) expect(await send(kind), kind).toEqual(known)
    expect(Object.values(agent.freeSockets).flat()).toHaveLength(1)
    agent.destroy()
  })

  it.each(others)('E9 tells nothing at later steps of an address that is %s', async (kind) => {
    const later = async (email: string) => {
      const pages: Page[] = []
      const browser = new Client(site(), format)
      const visit = async (client: Client) => {
        const token = 'x'.repeat(43)
        for (const query of [
          `?token=${token}&email=${email}`,
          `?step=reset&email=${email}`,
          `?step=sent&email=${email}`,
          `?step=code&email=${email}`,
          `?step=done&email=${email}`,
          `?revoke=${token}&email=${email}`,
          `?email=${email}`,
        ]) {
          pages.push(await client.get(query))
        }
        for (const fields of [
          { token, email, password: newPassword },
          { email, password: newPassword },
          { email, password: newPassword, code: '000000' },
          { email, code: '000000' },
          { email, code: '000000', reference: 'AAAA-2222' },
          { email, code: '12' },
        ]) {
          pages.push(await client.post(fields))
        }
      }
      await browser.ask(email)
      await settled(site())
      await visit(browser)
      await visit(new Client(site(), format))
      return pages.map((page) => ({
        status: page.status,
        headers: [...page.headers.keys()],
        body: page.body.replaceAll(email, '…').replaceAll(/[2-9A-Z]{4}-[2-9A-Z]{4}/g, 'REF'),
      }))
    }
    const known = await later(await kinds.known())
    expect(await later(await kinds[kind]())).toEqual(known)
  })

  it('E9 tells nothing at later steps of an address that has asked for nothing', async () => {
    const later = async (email: string) => {
      const client = new Client(site(), format)
      const pages = [
        await client.get(`?step=sent&email=${email}`),
        await client.post({ email, code: '000000' }),
        await client.post({ email, code: '000000', password: newPassword }),
        await client.post({ email, resend: '1' }),
        await client.get(`?step=sent&email=${email}`),
      ]
      return pages.map((page) => [page.status, page.body.replaceAll(email, '…')])
    }
    const known = await later(newAccount(site()).email)
    expect(await later(newAddress())).toEqual(known)
    expect(await later(newAccount(site(), { active: 0 }).email)).toEqual(known)
  })

  it('E11 shows of an account what was typed and no hint of more, until the mailbox is proven', async () => {
    const stored = `Erin.${newAddress()}`
    newAccount(site(), { email: stored, name: 'Erin Surname' })
    const typed = stored.toLowerCase()
    const client = new Client(site(), format)
    const pages: Pick<Page, 'body' | 'headers'>[] = [await client.ask(typed)]
    const [mail] = await site().smtp.to(stored)
    const { reference } = client
    const other = () => new Client(site(), format)
    pages.push(
      await client.guess('000000'),
      await other().get(`?step=code&reference=${reference}`),
      await other().post({ reference, code: '000000' }),
      await other().post({ reference, code: '12' }),
      await other().post({ reference, email: typed, code: '000000', password: newPassword }),
      await other().post({ email: typed, code: '000000' }),
      await client.get('?step=sent'),
      await other().post({ email: 'erin' }),
      await other().post({ email: 'Erin Surname' }).then(withoutFields),
    )
    const locked = await client.guess('000000')
    expect(outcome(locked)).toBe('429 code-locked')
    pages.push(locked)
    for (const page of pages) {
      expect(page.body).not.toMatch(/Erin|Surname|\*\*|••/)
      expect(JSON.stringify([...page.headers])).not.toMatch(/erin|surname/i)
    }
    const proven = await client.open(linkIn(mail))
    expect(outcome(proven)).toBe('reset')
    expect(proven.body.includes(stored)).toBe(format === form)
  })
})

/** A page but for what stands in its fields. */
function withoutFields({ body, headers }: Page): Pick<Page, 'body' | 'headers'> {
  return { body: body.replaceAll(/ value="[^"]*"/g, ''), headers }
}

/** The accounts of a site in which those of this name have no password. */
function usersOf(on: () => Site): Users {
  const find = (column: 'mail' | 'member_no', value: string): User | null => {
    const query = `select * from members where ${column} = ? and active = 1`
    const [row, other] = on().database.prepare(query).all(value) as Record<string, string>[]
    if (row === undefined || other !== undefined) return null
    const { member_no: id, mail: email = '', full_name: name = '', pw_hash: version = '' } = row
    const canReset = name !== elsewhere
    return { id: String(id), email, name, locale: 'en', version, canReset }
  }
  return {
    findByEmail: async (email) => find('mail', email),
    findById: async (id) => find('member_no', id),
    setPassword: async ({ id, version }, hash) => {
      const update = 'update members set pw_hash = ? where member_no = ? and pw_hash = ?'
      return on().database.prepare(update).run(hash, id, version).changes === 1
    },
  }
}
