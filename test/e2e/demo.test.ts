import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch } from '../support/chromium.ts'
import { Cli } from '../support/process.ts'
import { freePort } from '../support/wait.ts'

const first = 'correct horse battery'
const second = 'a brand new passphrase'

let browser: Browser
let folder = ''
let url = ''
let cli: Cli

beforeAll(async () => {
  browser = await launch()
  folder = mkdtempSync(join(tmpdir(), 'forgot-demo-'))
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  // With nothing configured at all: what a newcomer starts.
  cli = new Cli(['serve'], { cwd: folder, env: { FORGOT_SERVER__PORT: String(port) } })
  await cli.listening()
})

afterAll(async () => {
  await browser.close()
  cli.kill('SIGTERM')
  expect(await cli.ended()).toBe(0)
  rmSync(folder, { recursive: true, force: true })
})

async function signIn(page: Page, email: string, password: string): Promise<boolean> {
  await page.goto(`${url}/user/login`)
  await page.getByLabel('Email address').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  return page.getByRole('heading', { name: /Welcome/ }).isVisible()
}

/** The journey, with what is on the screen and nothing else. */
async function recover(page: Page, email: string, password: string): Promise<void> {
  await page.goto(`${url}/`)
  await page.getByRole('link', { name: 'Forgot your password?' }).click()
  await page.locator('#email').fill(email)
  await page.locator('main button').click()
  await page.locator('[data-step=sent]').waitFor()
  const reference = await page.locator('.reference').innerText()

  await page.goto(`${url}/user/login`)
  await page.getByRole('link', { name: 'Mailbox of this demo' }).click()
  const mail = page.getByRole('link', { name: reference })
  while ((await mail.count()) === 0) await page.getByRole('link', { name: 'Reload' }).click()
  await mail.first().click()
  await page.frameLocator('iframe').locator('a.button').click()

  await page.locator('[data-step=reset]').waitFor()
  expect(page.url()).not.toContain('token')
  expect(await page.locator('#username').inputValue()).toBe(email)
  await page.locator('#password').fill('too short')
  await page.locator('main .button').click()
  await page.locator('#password-problem').waitFor()
  await page.locator('#password').fill(password)
  await page.locator('main .button').click()
  await page.locator('[data-step=done]').waitFor()
}

describe.each([
  { name: 'with JavaScript', email: 'alice@demo.example', javaScriptEnabled: true },
  { name: 'without JavaScript', email: 'somchai@demo.example', javaScriptEnabled: false },
])('a newcomer $name', ({ email, javaScriptEnabled }) => {
  it('recovers an account; the old password and the other sessions are gone', async () => {
    const elsewhere = await browser.newContext()
    const other = await elsewhere.newPage()
    expect(await signIn(other, email, first)).toBe(true)

    const context = await browser.newContext({ javaScriptEnabled })
    const page = await context.newPage()
    await recover(page, email, second)
    await page.locator('main a.button').click()
    expect(page.url()).toBe(`${url}/user/login`)
    expect(await signIn(page, email, first)).toBe(false)
    expect(await signIn(page, email, second)).toBe(true)

    await other.goto(`${url}/`)
    expect(other.url()).toBe(`${url}/user/login`)
    await Promise.all([context.close(), elsewhere.close()])
  })
})

describe('the page, with JavaScript', () => {
  let page: Page
  beforeAll(async () => {
    page = await (await browser.newContext()).newPage()
  })

  it('moves the focus to what is wrong, and from there to the field', async () => {
    await page.goto(`${url}/user/forgot-password`)
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('a.skip')
    await page.locator('main button').click()
    await page.locator('.problems').waitFor()
    expect(await focused(page)).toBe('div.problems')
    await page.locator('.problems a').click()
    expect(await focused(page)).toBe('input#email')
    expect(new URL(page.url()).hash).toBe('')
  })

  it('goes through the form with the keyboard alone', async () => {
    await page.goto(`${url}/user/forgot-password`)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.keyboard.type('nobody@demo.example')
    await page.keyboard.press('Enter')
    await page.locator('[data-step=sent]').waitFor()
  })

  it('shows the password and hides it again before it is sent', async () => {
    await page.goto(`${url}/user/forgot-password`)
    await page.locator('#email').fill('chloe@demo.example')
    await page.locator('main button').click()
    await page.goto(`${url}/dev/mailbox`)
    const mail = page.getByRole('link', { name: /Réinitialisez/ })
    while ((await mail.count()) === 0) await page.reload()
    await mail.first().click()
    await page.frameLocator('iframe').locator('a.button').click()
    const [input, button] = [page.locator('#password'), page.locator('.show')]
    await input.fill('too short')
    await button.click()
    expect(await input.getAttribute('type')).toBe('text')
    expect(await button.getAttribute('aria-label')).toBe('Masquer le mot de passe')
    expect(await page.locator('.field [role=status]').innerText()).toBe(
      'Votre mot de passe est affiché.',
    )
    await button.click()
    expect(await input.getAttribute('type')).toBe('password')
    await button.click()
    const sent = page.waitForRequest((request) => request.method() === 'POST')
    const typeWhenSent = page.evaluate(
      () =>
        new Promise((resolve) => {
          addEventListener('submit', () =>
            resolve((document.querySelector('#password') as HTMLInputElement).type),
          )
        }),
    )
    await page.locator('main .button').click()
    expect(await typeWhenSent).toBe('password')
    await sent
  })

  it('sends a form once, however often it is clicked', async () => {
    await page.goto(`${url}/user/forgot-password`)
    await page.locator('#email').fill('nobody@demo.example')
    let posts = 0
    page.on('request', (request) => {
      if (request.method() === 'POST') posts += 1
    })
    await page.evaluate(() => {
      const button = document.querySelector('main button') as HTMLButtonElement
      button.click()
      button.click()
      button.click()
    })
    await page.locator('[data-step=sent]').waitFor()
    expect(posts).toBe(1)
  })

  it('shows nothing of a finished reset when going back', async () => {
    await page.goto(`${url}/user/forgot-password?step=reset`)
    expect(await page.locator('main').getAttribute('data-reason')).toBe('page-expired')
  })
})

describe('the mailbox', () => {
  it('shows a mail as HTML, as text and as its source', async () => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`${url}/dev/mailbox`)
    await page.locator('.mails a').last().click()
    await page.getByRole('link', { name: 'Text' }).click()
    expect(await page.locator('pre').innerText()).toContain('/user/forgot-password?token=')
    await page.getByRole('link', { name: 'Source' }).click()
    expect(await page.locator('pre').innerText()).toContain('Auto-Submitted: auto-generated')
  })
})

function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement
    const name = element?.tagName.toLowerCase() ?? ''
    return element?.id ? `${name}#${element.id}` : `${name}.${element?.className}`
  })
}
