import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import axe from 'axe-core'
import type { Browser, Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launch } from '../support/chromium.ts'
import { Cli } from '../support/process.ts'
import { eventually, freePort } from '../support/wait.ts'
import { Bench } from './bench.ts'

const form = readFileSync('templates/forgot.eta', 'utf8')

let bench: Bench
let browser: Browser
let page: Page

beforeAll(async () => {
  browser = await launch()
  bench = await Bench.start({
    'config.yaml': 'site: { name: Riverside }\n',
    'theme.css': ':root { --card: #fff; }\n',
    'locales/en.yaml': 'form:\n  title: The first title\n',
    'templates/forgot.eta': form,
  })
  page = await (await browser.newContext()).newPage()
  await page.goto(`${bench.url}/dev/preview`)
})

afterAll(async () => {
  await browser.close()
  await bench.stop()
})

const frame = () => page.frameLocator('.stage iframe')
const heading = (text: string) =>
  frame().getByRole('heading', { name: text, exact: true }).waitFor()

describe('an open page', () => {
  it('shows a change of a text, of a template, of the style and of the configuration at once', async () => {
    await heading('The first title')
    bench.write('locales/en.yaml', 'form:\n  title: Another title\n')
    await heading('Another title')
    bench.write('templates/forgot.eta', form.replace('<h1>', '<h1>New: '))
    await heading('New: Another title')
    bench.write('config.yaml', 'site: { name: Harbour }\ntheme: { css: theme.css }\n')
    await frame().getByText('Harbour').first().waitFor()
    bench.write('theme.css', 'main { --proof: changed; }\n')
    const isChanged = () =>
      frame()
        .locator('main')
        .evaluate((main) => getComputedStyle(main).getPropertyValue('--proof') === 'changed')
        // The frame that was asked may be gone with its page.
        .catch(() => false)
    await eventually(isChanged)
  })

  it('tells the line of a broken template, and comes back once it is mended', async () => {
    symlinkSync('somebody@machine.1', join(bench.folder, 'templates/.#forgot.eta'))
    symlinkSync('somebody@machine.1', join(bench.folder, 'locales/.#en.yaml'))
    bench.write('templates/forgot.eta', form.replace('<h1>', '<% if ( { %>\n<h1>'))
    await page.getByRole('alert').waitFor()
    const line = form.split('\n').findIndex((text) => text.includes('<h1>')) + 1
    expect(await page.getByRole('alert').innerText()).toContain(`templates/forgot.eta:${line}: `)
    bench.write('templates/forgot.eta', form)
    await heading('Another title')
  })

  it('tells the line of a template that prints what is not there', async () => {
    bench.write('templates/forgot.eta', `${form}<%= it.nothing %>\n`)
    const line = form.split('\n').length
    await eventually(async () => (await bench.page('')).includes(`templates/forgot.eta:${line}: `))
    bench.write('templates/forgot.eta', form)
    await heading('Another title')
  })

  it('tells the line of a broken language file, mail or configuration, and comes back', async () => {
    bench.write('locales/en.yaml', 'form:\n  title: "A title\n  email: Address\n')
    await page.getByRole('alert').waitFor()
    expect(await page.getByRole('alert').innerText()).toMatch(/locales\/en\.yaml:\d+: /)
    bench.write('locales/en.yaml', 'form:\n  title: A third title\n')
    await heading('A third title')
    bench.write('config.yaml', 'site: { nmae: Harbour }\n')
    await page.getByRole('alert').waitFor()
    expect(await page.getByRole('alert').innerText()).toContain('config.yaml:1:9 site.nmae')
    bench.write('config.yaml', 'site: { name: Riverside }\n')
    await heading('A third title')
    bench.write(
      'templates/email/en/link.eta',
      '---\nsubject: fine\npreheader: "not\n---\n<h1>Hi</h1>\n',
    )
    await page.goto(`${bench.url}/dev/preview?show=mail-link`)
    expect(await page.getByRole('alert').innerText()).toMatch(/email\/en\/link\.eta:[34]: /)
    bench.write(
      'templates/email/en/link.eta',
      '---\nsubject: fine\npreheader: yes\n---\n<h1>Hi</h1>\n',
    )
    await heading('Hi')
  })
})

describe('the page', () => {
  it('shows a choice as soon as it is made, and leaves the focus where it is', async () => {
    await page.goto(`${bench.url}/dev/preview`)
    await page.getByLabel('Page or mail').selectOption('reset-password-too-short')
    await page.waitForURL(/show=reset-password-too-short/)
    await page.getByLabel('Language').selectOption('en-XA')
    await page.waitForURL(/lang=en-XA/)
    await frame().getByRole('button', { name: 'Šĥöŵ' }).first().waitFor()
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('BODY')
  })

  it('works without JavaScript', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false })
    const plain = await context.newPage()
    await plain.goto(`${bench.url}/dev/preview`)
    await plain.getByLabel('Theme').selectOption('dark')
    await plain.getByRole('button', { name: 'Show' }).click()
    await plain.waitForURL(/theme=dark/)
    const colour = await plain
      .frameLocator('.stage iframe')
      .locator('body')
      .evaluate((body) => getComputedStyle(body).backgroundColor)
    expect(colour).toBe('rgb(18, 21, 27)')
    await context.close()
  })

  // Each colour once and each width once: a width has no colour.
  it.each([
    ['light', 320],
    ['dark', 1280],
  ] as const)(
    'has no barrier and no sideways scrolling, %s at %i pixels',
    async (colorScheme, width) => {
      const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } })
      // What a frame shows is looked at elsewhere, and takes its time.
      await context.route(/\/frame\?/, (route) => route.abort())
      const each = await context.newPage()
      const queries = [
        '?show=form&keys=1',
        '?show=mail-code&lang=jbo',
        // It is large, and the same in every colour.
        ...(colorScheme === 'light' ? ['?sheet=1'] : []),
        '?show=none',
      ]
      for (const query of queries) {
        await each.goto(`${bench.url}/dev/preview${query}`, { waitUntil: 'domcontentloaded' })
        expect([query, await barriers(each)]).toEqual([query, []])
        const sideways = await each.evaluate(
          () => document.documentElement.scrollWidth - innerWidth,
        )
        expect([query, Math.max(0, sideways)]).toEqual([query, 0])
      }
      await context.close()
    },
  )
})

async function barriers(on: Page): Promise<string[]> {
  await on.evaluate(axe.source)
  return on.evaluate(async () => {
    const run = (globalThis as unknown as { axe: typeof axe }).axe.run
    const { violations } = await run({ iframes: false })
    return violations.map(
      (each) => `${each.id}: ${each.nodes.map((node) => node.html).join(' | ')}`,
    )
  })
}

describe('the command', () => {
  it('starts in an empty folder, makes no file there, and stops at once with a page open', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'forgot-empty-'))
    const port = await freePort()
    const cli = new Cli(['preview', '--port', String(port)], { cwd: folder })
    await cli.listening()
    const url = `http://127.0.0.1:${port}/dev/preview`
    expect(cli.output).toContain(url)
    expect((await fetch(`http://127.0.0.1:${port}/`)).url).toBe(url)
    const events = await fetch(`${url}/events`)
    expect(events.headers.get('content-type')).toBe('text/event-stream')
    expect(await (await fetch(`${url}?show=mail-link`)).text()).toContain(
      'set <code>smtp.host</code>',
    )
    expect(readdirSync(folder)).toEqual([])
    const toldAt = performance.now()
    cli.kill('SIGTERM')
    expect(await cli.ended()).toBe(0)
    expect(performance.now() - toldAt).toBeLessThan(1000)
    await events.body?.cancel()
    expect(readdirSync(folder)).toEqual([])
    rmSync(folder, { recursive: true })
  })

  it('says how to take another port where one is taken', async () => {
    const { port } = new URL(bench.url)
    const cli = new Cli(['preview', '--port', port])
    expect(await cli.ended()).toBe(1)
    expect(cli.errors).toBe(
      `127.0.0.1:${port} cannot be listened on: another program is using it: stop that, or say --port <number>\n`,
    )
  })

  it('takes the variables in .env, and needs no secret, accounts or mail server that are configured', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'forgot-env-'))
    writeFileSync(join(folder, '.env'), 'NODE_ENV=production\nSITE_URL=https://site.example\n')
    writeFileSync(
      join(folder, 'config.yaml'),
      "site: { url: '${SITE_URL}' }\nsecret: '${NONE}'\nusers: ./none.mjs\nsmtp: { host: a, user: b, pass: '${NONE}' }\n",
    )
    const port = await freePort()
    const cli = new Cli(['preview', '--port', String(port)], { cwd: folder })
    await cli.listening()
    const mail = `http://127.0.0.1:${port}/dev/preview?show=mail-link`
    expect(await (await fetch(mail)).text()).toContain('<code>forgot-password check</code>')
    cli.kill('SIGTERM')
    expect(await cli.ended()).toBe(0)
    rmSync(folder, { recursive: true })
  })
})
