import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { seconds } from '../support/clock.ts'
import { newPassword, oldPassword, route, type Site } from '../support/site.ts'
import type { Page, Visitor } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'
import { expectInvariants } from './invariants.ts'
import { Served } from './served.ts'
import { noticesTo, person } from './support.ts'

let served: Served
let site: Site
async function start(): Promise<void> {
  served = await Served.prepare()
  site = served.site
  await served.run()
}

/** Somebody who has opened a link, and is signed in elsewhere. */
async function prepareReset() {
  const { email, link } = await person(site)
  const visitor = site.visitor()
  const form = await visitor.follow(await visitor.get(link))
  site.database
    .prepare('insert into logins select mail, member_no from members where mail = ?')
    .run(email)
  return { email, link, visitor, fields: { password: newPassword, csrf: form.field('csrf') } }
}

/** Sends the new password; the answer may never come. */
function send({
  visitor,
  fields,
}: Readonly<{ visitor: Visitor; fields: Record<string, string> }>): Promise<Page | null> {
  return visitor.post(route, fields).catch(() => null)
}

const spent = async () =>
  (await site.rows("select 1 from password_reset where state = 'used'")).length
const sessions = () => site.database.prepare('select count(*) from logins').pluck().get()
/** After the time that a process has to write the password, which it is given once more. */
async function recoverLater(): Promise<void> {
  await site.listen()
  site.clock.move(seconds(40))
}

describe('a process that is killed between spending a link and writing the password', () => {
  type Prepared = Awaited<ReturnType<typeof prepareReset>>
  let patient: Prepared
  let impatient: Prepared
  let again = ''
  beforeAll(async () => {
    await start()
    patient = await prepareReset()
    impatient = await prepareReset()
    // The user table is held, so that the process can do the one and not the other.
    site.database.exec('begin immediate')
    const answers = [patient, impatient].map(send)
    await eventually(async () => (await spent()) === 2)
    await served.kill()
    site.database.exec('commit')
    expect(await Promise.all(answers)).toEqual([null, null])
    for (const { email } of [patient, impatient]) {
      expect(site.hasPassword(email, oldPassword)).toBe(true)
    }
    expect(sessions()).toBe(2)
    await site.listen()
    again = await site.mailedLink(impatient.email)
    site.clock.move(seconds(40))
    const dropped = "select 1 from mail_job where kind = 'changed' and state = 'dropped'"
    await eventually(async () => (await site.rows(dropped)).length === 2)
  })
  afterAll(() => served.stop())

  it('Z11 leaves the password as it was, and the link is given back', async () => {
    const { email, link } = patient
    expect((await site.reset(link)).status).toBe(303)
    expect(site.hasPassword(email, newPassword)).toBe(true)
    await eventually(() => noticesTo(site, email).length > 0)
    await expectInvariants(site)
    expect(noticesTo(site, email)).toHaveLength(1)
  })

  it('Z11 leaves one link that works, and not two, to somebody who has asked again', async () => {
    const open = async (link: string) => (await site.visitor().get(link)).status
    expect(await open(again)).toBe(303)
    expect(await open(impatient.link)).not.toBe(303)
    expect((await site.reset(again)).status).toBe(303)
    await expectInvariants(site)
  })
})

it('Z12 a process that is killed between the password and the sessions has done neither', async () => {
  await start()
  onTestFinished(() => served.stop())
  const victim = await prepareReset()
  const { email, link } = victim
  // Takes as long as anybody cares to wait, between the two.
  site.database.exec(`
    create view endless as with recursive numbers (n) as (select 1 union all select n + 1 from numbers)
      select count(*) as n from numbers;
    create trigger slow before delete on logins begin select n from endless; end`)
  const answer = send(victim)
  await eventually(async () => (await spent()) === 1 && isHeld(`${site.folder}/site.db`))
  await served.kill()
  expect(await answer).toBeNull()
  site.database.exec('drop trigger slow; drop view endless')
  expect(site.hasPassword(email, oldPassword)).toBe(true)
  expect(sessions()).toBe(1)
  await recoverLater()
  await eventually(async () => (await spent()) === 0)
  expect((await site.reset(link)).status).toBe(303)
  expect(sessions()).toBe(0)
  await expectInvariants(site)
})

it('Z12 a process that is killed between the password and its notice tells the account when it runs again', async () => {
  await start()
  onTestFinished(() => served.stop())
  const victim = await prepareReset()
  const { email, link } = victim
  site.database.exec('begin immediate')
  const answer = send(victim)
  await eventually(async () => (await spent()) === 1)
  const release = await site.store.hold()
  site.database.exec('commit')
  await eventually(() => site.hasPassword(email, newPassword))
  await served.kill()
  await release()
  expect(await answer).toBeNull()
  expect(sessions()).toBe(0)
  expect(noticesTo(site, email)).toEqual([])
  await recoverLater()
  await eventually(() => noticesTo(site, email).length === 1)
  const page = await site.visitor().get(link)
  expect([page.status, page.reason]).toEqual([410, 'link-used'])
  await expectInvariants(site)
})

/** Whether somebody is writing to a database. */
function isHeld(file: string): boolean {
  const other = new Database(file, { timeout: 0 })
  try {
    other.exec('begin immediate')
    other.exec('rollback')
    return false
  } catch {
    return true
  } finally {
    other.close()
  }
}
