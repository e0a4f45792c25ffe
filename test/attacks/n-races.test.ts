import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newPassword, oldPassword, route, Site } from '../support/site.ts'
import { codeIn } from '../support/smtp.ts'
import { Demo } from './demo.ts'
import { atOnce, statusOf } from './raw.ts'
import { endWithOrdinaryReset, formats, json, mailedToken, newAccount, settled } from './support.ts'

let site: Site
beforeAll(async () => {
  site = await Site.start({ recovery: { methods: ['link', 'code'] } })
  await site.server?.close()
  // One mail a minute for each account, as an installation has it.
  site.config = { ...site.config, limits: { perClient: 'off', badProofs: 'off' } }
  await site.listen()
})
afterAll(() => site.stop())
endWithOrdinaryReset(() => site)

const twenty = Array.from({ length: 20 }, (_, index) => `${newPassword} ${index}`)

describe.each(formats)('by $name', (format) => {
  const isJson = format === json
  const request = (fields: Record<string, string>) => ({
    method: 'POST',
    path: route,
    headers: {
      'Content-Type': isJson ? 'application/json' : 'application/x-www-form-urlencoded',
    },
    body: isJson ? JSON.stringify(fields) : new URLSearchParams(fields).toString(),
  })

  /** Sends a password of its own with each; what became of the account. */
  const expectOneWinner = async (email: string, proof: Record<string, string>) => {
    const requests = twenty.map((password) => request({ ...proof, password }))
    const answers = await atOnce(site, requests)
    const statuses = answers.map(statusOf)
    expect(statuses.filter((status) => status === format.changed)).toHaveLength(1)
    expect(statuses.filter((status) => status >= 500)).toEqual([])
    const winner = twenty[statuses.indexOf(format.changed)] ?? ''
    const takers = [oldPassword, ...twenty].filter((each) => site.hasPassword(email, each))
    expect(takers).toEqual([winner])
    await settled(site)
    const notices = site.smtp.mails.filter(
      ({ recipients, mail }) =>
        recipients.includes(email) && (mail.subject ?? '').includes('was changed'),
    )
    expect(notices).toHaveLength(1)
    return answers
  }

  it('N1 twenty passwords at once with one token set one of them, and tell of one', async () => {
    const { email } = newAccount(site)
    const answers = await expectOneWinner(email, { token: await mailedToken(site, email) })
    for (const answer of answers.filter((each) => statusOf(each) !== format.changed)) {
      expect([404, 410]).toContain(statusOf(answer))
      expect(answer).toMatch(/link-(?:used|invalid)/)
    }
  })

  it('N5 twenty passwords at once with one right code set one of them, and tell of one', async () => {
    const { email } = newAccount(site)
    await site.visitor().post(route, { email })
    const code = codeIn((await site.smtp.to(email))[0])
    site.secrets.add(code)
    await expectOneWinner(email, { code, email })
  })

  it('N5 twenty right codes at once prove what one proves', async () => {
    const { email } = newAccount(site)
    await site.visitor().post(route, { email })
    const code = codeIn((await site.smtp.to(email))[0])
    site.secrets.add(code)
    const answers = await atOnce(site, Array(20).fill(request({ code, email })))
    const statuses = answers.map(statusOf)
    // No more are compared at a time than there are tries; a right one costs none of them.
    expect(statuses).toContain(format.changed)
    expect(statuses.filter((status) => ![format.changed, 429].includes(status))).toEqual([])
    const fields = { code, email, password: newPassword }
    const used = await format.post(site.visitor(), fields)
    expect(used.status).toBe(format.changed)
    const again = await format.post(site.visitor(), { ...fields, password: oldPassword })
    expect([again.status, format.reason(again)]).toEqual([400, 'code-expired'])
    expect(site.hasPassword(email, newPassword)).toBe(true)
  })

  it('N3 twenty requests at once for one account are one mail and one live token', async () => {
    const { email } = newAccount(site)
    const answers = await atOnce(site, Array(20).fill(request({ email })))
    expect(answers.map(statusOf)).toEqual(Array(20).fill(format.granted))
    const token = await site.smtp
      .to(email)
      .then(([mail]) => /token=([\w-]+)/.exec(mail?.mail.text ?? '')?.[1] ?? '')
    await settled(site)
    expect(site.smtp.mails.filter(({ recipients }) => recipients.includes(email))).toHaveLength(1)
    const [member] = site.database
      .prepare('select member_no from members where mail = ?')
      .pluck()
      .all(email)
    const live = await site.rows<{ user_id: string }>(
      "select user_id from password_reset where state = 'live'",
    )
    expect(live.filter(({ user_id }) => user_id === String(member))).toHaveLength(1)
    const fields = { token, password: newPassword }
    expect((await format.post(site.visitor(), fields)).status).toBe(format.changed)
  })
})

it('N7 nobody who signs in with the old password while it is changed stays signed in', async () => {
  // The login compares with a hash as dear as in production, and the reset is done in the meantime.
  const demo = await Demo.start(4)
  try {
    const alice = 'alice@demo.example'
    demo.makeDear(alice)
    const token = await demo.mailedToken(alice)
    const visitors = Array.from({ length: 5 }, () => demo.visitor())
    const logins = visitors.map(async (visitor, index) => {
      await new Promise((resolve) => setTimeout(resolve, index * 20))
      return demo.signIn(visitor, alice)
    })
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect((await demo.setPassword(token)).status).toBe(303)
    await Promise.all(logins)
    const signedIn = await Promise.all(visitors.map((visitor) => demo.isSignedIn(visitor)))
    expect(signedIn).toEqual(visitors.map(() => false))
    expect(await demo.signIn(demo.visitor(), alice)).toBe(false)
    expect(await demo.signIn(demo.visitor(), alice, newPassword)).toBe(true)
    await demo.expectOrdinaryReset()
  } finally {
    await demo.stop()
  }
})
