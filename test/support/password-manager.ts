import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright'

/** What Chromium's password manager takes a form's fields for, by their names; `''` for none. */
export interface Reading {
  readonly fields: readonly string[]
  readonly username: string
  readonly password: string
  readonly newPassword: string
}

/** A whole Chromium with its own password manager, and what that says of what it sees. */
export class PasswordManager {
  readonly #context: BrowserContext
  readonly #profile: string
  readonly #log: Page

  private constructor(context: BrowserContext, profile: string, log: Page) {
    this.#context = context
    this.#profile = profile
    this.#log = log
  }

  /** With the machine's own Chromium: the one that a package brings is a shell without a password manager. */
  static async start(): Promise<PasswordManager> {
    const program = execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim()
    const profile = mkdtempSync(join(tmpdir(), 'forgot-chromium-'))
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: program,
      headless: false,
      args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-sync'],
      // A browser that says it is steered offers to save nothing.
      ignoreDefaultArgs: ['--enable-automation', '--headless'],
    })
    const log = await context.newPage()
    await log.goto('chrome://password-manager-internals')
    return new PasswordManager(context, profile, log)
  }

  newPage(): Promise<Page> {
    return this.#context.newPage()
  }

  /** Keeps a password as if its person had had it saved. */
  async remember(url: string, username: string, password: string): Promise<void> {
    const page = await this.newPage()
    await page.goto('chrome://password-manager/passwords')
    const entry = { url, username, password, note: '', useAccountStore: false }
    await page.evaluate(
      (each) =>
        (globalThis as unknown as PasswordsPrivate).chrome.passwordsPrivate.addPassword(each),
      entry,
    )
    await page.close()
  }

  /** All that it has said so far. */
  said(): Promise<string> {
    return this.#log.evaluate(() => document.body.innerText)
  }

  /** Forms as it has read them, in the order in which it did. */
  async readings(): Promise<Reading[]> {
    const text = await this.said()
    const pattern =
      /Form parsing input: \{.*?Form fields:(.*?)\}\s*Form parsing output: \{(.*?)\}/gs
    return [...text.matchAll(pattern)].map(([, input = '', output = '']) => {
      const named = (name: string) =>
        new RegExp(`^\\s*${name} element :\\s*(\\S*)\\s*,`, 'm').exec(output)?.[1] ?? ''
      return {
        fields: [...input.matchAll(/^\s*(\w+): signature=/gm)].map(([, name = '']) => name),
        username: named('Username'),
        password: named('Password'),
        newPassword: named('New password'),
      }
    })
  }

  async stop(): Promise<void> {
    await this.#context.close()
    rmSync(this.#profile, { recursive: true, force: true })
  }
}

/** What Chromium's own page for passwords is written with. */
interface PasswordsPrivate {
  readonly chrome: { readonly passwordsPrivate: { addPassword(entry: object): Promise<void> } }
}
