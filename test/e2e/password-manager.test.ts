import type { Page } from 'playwright'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { PasswordManager } from '../support/password-manager.ts'
import { accounts, newPassword, oldPassword, route, Site } from '../support/site.ts'
import { eventually } from '../support/wait.ts'

const { alice } = accounts

let site: Site
let manager: PasswordManager
let page: Page

beforeAll(async () => {
  site = await Site.start({ recovery: { methods: ['link', 'code'] } })
})
afterAll(() => site.stop())
beforeEach(async () => {
  manager = await PasswordManager.start()
  page = await manager.newPage()
})
afterEach(() => manager.stop())

async function setPassword(): Promise<void> {
  await page.fill('#password', newPassword)
  await page.click('main form button[type=submit]')
  await page.waitForURL(/step=done/)
}

it('is asked to keep the new password under the address of the account', async () => {
  await page.goto(await site.mailedLink(alice.email))
  expect(await page.inputValue('#username')).toBe(alice.email)
  await setPassword()
  const said = await eventually(async () => {
    const text = await manager.said()
    return text.includes('Show password prompt') ? text : null
  })
  expect(said).toContain('Decision: ASK the user')
  const readings = await manager.readings()
  expect(readings.at(-1)).toEqual({
    fields: ['username', 'password'],
    username: 'username',
    password: '',
    newPassword: 'password',
  })
})

it('offers to replace the password it has, and puts it into no field for a new one', async () => {
  await manager.remember(site.url, alice.email, oldPassword)
  await page.goto(await site.mailedLink(alice.email))
  await eventually(async () =>
    (await manager.said()).includes('Number of unique matched credentials: 1'),
  )
  expect(await page.inputValue('#username')).toBe(alice.email)
  expect(await page.inputValue('#password')).toBe('')
  await setPassword()
  await eventually(async () => (await manager.said()).includes('PENDING_PASSWORD_UPDATE_STATE'))
})

it('takes a code for neither a name nor a password', async () => {
  await page.goto(`${site.url}${route}`)
  await page.fill('#email', alice.email)
  await page.click('main form button[type=submit]')
  await page.waitForURL(/step=sent/)
  const code = await eventually(
    () => /\n\s*(\d{6})\s*\n/.exec(site.smtp.mails.at(-1)?.mail.text ?? '')?.[1] ?? null,
  )
  await page.fill('#code', code)
  await page.click('form:has(#code) button[type=submit]')
  await page.waitForURL(/step=reset/)
  await setPassword()
  await eventually(async () => (await manager.said()).includes('Show password prompt'))
  const readings = await manager.readings()
  const named = readings.flatMap((each) => [each.username, each.password, each.newPassword])
  expect(named).not.toContain('code')
  expect(readings.at(-1)).toMatchObject({ username: 'username', newPassword: 'password' })
})
