import type { Browser, BrowserContext, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch } from '../support/chromium.ts'
import { hours } from '../support/clock.ts'
import { accounts, oldPassword, route, Site } from '../support/site.ts'
import { codeIn } from '../support/smtp.ts'

const { alice, somchai, amina } = accounts

let site: Site
let browser: Browser

beforeAll(async () => {
  browser = await launch()
  site = await Site.start({ recovery: { methods: ['link', 'code'] } })
})
afterAll(async () => {
  await browser.close()
  await site.stop()
})

/** Asks for a mail on a page, and reads the code in it. */
async function ask(page: Page, email: string, language: string) {
  site.clock.move(hours(1))
  await page.goto(`${site.url}${route}?lang=${language}`)
  const count = site.smtp.mails.filter((mail) => mail.recipients.includes(email)).length
  await page.locator('#email').fill(email)
  await page.locator('main .button').click()
  await page.locator('[data-step=sent]').waitFor()
  const mail = (await site.smtp.to(email, count + 1)).at(-1)
  const code = codeIn(mail)
  site.secrets.add(code)
  const reference = await page.locator('.reference').innerText()
  expect(mail?.mail.subject).toContain(reference)
  const [codeUrl = ''] = /http:\S+step=code\S+/.exec(mail?.mail.text ?? '') ?? []
  return { code, reference, codeUrl }
}

async function choosePassword(page: Page, password: string): Promise<void> {
  site.secrets.add(password)
  await page.locator('[data-step=reset]').waitFor()
  expect(page.url()).toBe(`${site.url}${route}?step=reset`)
  await page.locator('#password').fill(password)
  await page.locator('main .button').click()
  await page.locator('[data-step=done]').waitFor()
}

const inDigitsOf: Readonly<Record<string, (code: string) => string>> = {
  en: (code) => `${code.slice(0, 3)} ${code.slice(3)}`,
  th: (code) => code.replace(/\d/g, (digit) => String.fromCodePoint(0x0e50 + Number(digit))),
  ar: (code) => code.replace(/\d/g, (digit) => String.fromCodePoint(0x0660 + Number(digit))),
}

describe.each([true, false])('with JavaScript: %s', (javaScriptEnabled) => {
  const open = (): Promise<BrowserContext> => browser.newContext({ javaScriptEnabled })

  it.each([alice, somchai, amina])(
    'a code recovers the account of $name in $language',
    async ({ email, language }) => {
      const context = await open()
      const page = await context.newPage()
      const { code } = await ask(page, email, language)
      expect(await page.locator('html').getAttribute('lang')).toBe(language)
      const wrong = code === '000000' ? '000001' : '000000'
      await page.locator('#code').fill(wrong)
      await page.locator('form:has(#code) button').click()
      await page.locator('#code-problem').waitFor()
      expect(await page.locator('#code-problem').innerText()).toContain('4')
      await page.locator('#code').fill(inDigitsOf[language]?.(code) ?? '')
      await page.locator('form:has(#code) button').click()
      const password = `a code of ${language}, ${javaScriptEnabled}`
      await choosePassword(page, password)
      expect(site.hasPassword(email, password)).toBe(true)
      expect(site.hasPassword(email, oldPassword)).toBe(false)
      await context.close()
    },
  )

  it.each([alice, somchai, amina])(
    '$name goes on in another browser, in $language',
    async ({ email, language }) => {
      const first = await open()
      const { code, reference, codeUrl } = await ask(await first.newPage(), email, language)
      const second = await open()
      const page = await second.newPage()
      await page.goto(`${codeUrl}&lang=${language}`)
      await page.locator('[data-step=code]').waitFor()
      expect(await page.locator('#reference').inputValue()).toBe(reference)
      await page.locator('#reference').fill('AAAA-2222')
      await page.locator('#code').fill(code)
      await page.locator('main .button').click()
      await page.locator('#reference-problem').waitFor()
      await page.locator('#reference').fill(reference.toLowerCase().replace('-', ''))
      await page.locator('#code').fill(code)
      await page.locator('main .button').click()
      const password = `another device in ${language}, ${javaScriptEnabled}`
      await choosePassword(page, password)
      expect(site.hasPassword(email, password)).toBe(true)
      await Promise.all([first.close(), second.close()])
    },
  )
})
