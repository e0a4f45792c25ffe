import fs, { readFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { mailKinds } from '../../src/mail/message.ts'
import type { Choice } from '../../src/preview/choice.ts'
import { Gallery } from '../../src/preview/gallery.ts'
import { Preview, type PreviewParts } from '../../src/preview/preview.ts'
import { Stage } from '../../src/preview/stage.ts'
import { samplePages } from '../../src/samples.ts'
import { areOthers, tags } from '../support/languages.ts'
import { Site } from '../support/site.ts'
import { SmtpSink } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'
import { Bench } from './bench.ts'

const clock = { now: () => Date.now() }
const names = samplePages({ clock }, { tag: 'en' }).map(({ name }) => name)
const mails = mailKinds.map((kind) => `mail-${kind}`)
// Lojban: a language that this package will hardly ever have.
const own = 'jbo'

let bench: Bench
let smtp: SmtpSink
let stage: Stage

beforeAll(async () => {
  smtp = await SmtpSink.start()
  bench = await Bench.start({
    'config.yaml': `
site: { name: Riverside, url: http://127.0.0.1:3000 }
smtp: { host: 127.0.0.1, port: ${smtp.port}, from: { email: library@site.example }, timeout: 1s }
`,
    [`locales/${own}.yaml`]: 'form:\n  title: cnino japyvla\n',
    [`templates/email/${own}/link.eta`]:
      "---\nsubject: japyvla\npreheader: cnino japyvla\n---\n<h1>japyvla</h1>\n<%~ it.button('cnino', it.link) %>\n",
  })
  stage = new Stage(loadConfig(join(bench.folder, 'config.yaml'), { env: {} }))
})

afterAll(async () => {
  await bench.stop()
  await smtp.stop()
})

const choice: Choice = {
  show: 'form',
  lang: 'en',
  theme: 'light',
  width: '320',
  part: 'html',
  settings: 'own',
  hasKeys: false,
  isSheet: false,
}

// Of the languages of several kinds that are tried elsewhere, a few are enough here.
const shownTags = [...(areOthers ? tags : ['en', 'th', 'ar']), own, 'en-XA', 'ar-XB']

describe('what is shown', () => {
  it('has names that are told apart', () => {
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(
      expect.arrayContaining(['form', 'sent-resent', 'sent-code-wrong', 'error-link-expired']),
    )
  })

  it.each(shownTags)('is every page and every mail, in %s', async (tag) => {
    for (const show of [...names, ...mails]) {
      const shown = await stage.show({ ...choice, show, lang: tag })
      const html = shown?.kind === 'page' ? shown.html : (shown?.message.html ?? '')
      const isForeign = tag === own && mails.slice(1).includes(show)
      const lang = isForeign ? 'en' : tag
      expect([show, html.includes(`<html lang="${lang}"`)]).toEqual([show, true])
      expect(html).not.toMatch(/[\u{FFF00}-\u{FFF02}]|undefined|\[object/u)
    }
  })

  it.each(['fr', 'ar-XB'])('is every page and every mail in a frame, in %s', async (tag) => {
    const frames = [...names, ...mails].map((name) => `/frame?show=${name}&lang=${tag}`)
    const shown = await Promise.all(frames.map((query) => bench.page(query)))
    for (const html of shown) expect(html).toContain(`<html lang="${tag}"`)
  })

  it('is listed in the selectors, and all at once on the sheet', async () => {
    const gallery = await bench.page('')
    const sheet = await bench.page('?sheet=1&lang=fr')
    for (const name of [...names, ...mails]) {
      expect(gallery).toContain(`<option value="${name}"`)
      expect(sheet).toContain(`<iframe title="${name}"`)
    }
    for (const tag of tags) expect(gallery).toContain(`<option value="${tag}"`)
  })

  it('is chosen by the address alone', async () => {
    const query = 'show=mail-link&lang=th&theme=dark&width=600'
    const page = await bench.page(`?${query}`)
    for (const value of ['mail-link', 'th', 'dark', '600'])
      expect(page).toContain(`<option value="${value}" selected>`)
    expect(page).toContain(`src="/dev/preview/frame?${query.replaceAll('&', '&amp;')}"`)
  })

  it('is a page of its own where there is nothing of that name', async () => {
    expect(await bench.page('?show=nothing', 404)).toContain('There is no page or mail nothing')
    expect(await bench.page('/frame?show=nothing', 404)).toContain('There is no nothing')
  })

  it('is as if codes were on where a state needs them, and says so', async () => {
    expect(await bench.page('?show=sent-code-wrong')).toContain(
      'Codes are off in your configuration',
    )
    expect(await bench.page('/frame?show=sent-code-wrong')).toContain('name="code"')
    expect(await bench.page('/frame?show=form&settings=code')).toContain('Send the code')
  })
})

describe('a language', () => {
  it('that is not on offer is shown all the same, and marked', async () => {
    const work = await Bench.start({
      'config.yaml': 'locales: { offer: [en, fr] }\n',
      [`locales/${own}.yaml`]: 'form:\n  title: cnino japyvla\n',
    })
    const page = await work.page(`?lang=${own}`)
    expect(page).toMatch(
      new RegExp(`<option value="${own}" selected>[^<]*\\(not on offer, \\d+ missing`),
    )
    expect(page).toMatch(/<option value="fr">fr – Français</)
    expect(page).toMatch(/<option value="ar-XB">[^<]*right to left</)
    expect(await work.page(`/frame?lang=${own}`)).toContain('cnino japyvla')
    expect(await work.page('/frame?lang=en')).not.toContain(`lang=${own}`)
    await work.stop()
  })

  it('that is not there is told, and what is shown instead', async () => {
    expect(await bench.page('?lang=xx')).toContain('There is no language xx: this is en.')
    expect(await bench.page('?lang=fr')).not.toContain('There is no language')
  })
})

describe('light and dark', () => {
  const style = (html: string) =>
    Buffer.from(
      /text\/css;charset=utf-8;base64,([\w+/=]+)/.exec(html)?.[1] ?? '',
      'base64',
    ).toString()

  it('are made by the server, whatever the browser prefers', async () => {
    const [light, dark] = await Promise.all(
      ['light', 'dark'].map((theme) => bench.page(`/frame?show=form&theme=${theme}`)),
    )
    expect(light).toContain('<meta name="color-scheme" content="light">')
    expect(dark).toContain('<meta name="color-scheme" content="dark">')
    expect(style(light ?? '')).not.toBe(style(dark ?? ''))
    for (const html of [light, dark])
      expect(style(html ?? '')).not.toContain('prefers-color-scheme')
  })

  it('are those of mails too', async () => {
    const [light, dark] = await Promise.all(
      ['light', 'dark'].map((theme) => bench.page(`/frame?show=mail-link&theme=${theme}`)),
    )
    expect(light).not.toBe(dark)
    expect(`${light}${dark}`).not.toContain('prefers-color-scheme')
  })
})

describe('keys', () => {
  const lineOf = (file: string, text: string) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(text)) + 1

  it('are told on hover, with file and line', async () => {
    const page = await bench.page('/frame?show=form&lang=fr&keys=1')
    const line = lineOf('locales/fr.yaml', '  title:')
    expect(page).toContain(`data-key="form.title" title="form.title · locales/fr.yaml:${line}"`)
    expect(page).toMatch(/<title>[^<]*<\/title>/)
    expect(await bench.page('/frame?show=form&lang=fr')).not.toContain('data-key')
  })

  it('of what is seen by nobody are listed below', async () => {
    const gallery = await bench.page('?show=reset&keys=1')
    expect(gallery).toContain('<code>password.show_label</code>')
    const line = lineOf('locales/en.yaml', '  show_label:')
    expect(gallery).toContain(`<code>locales/en.yaml:${line}</code>`)
  })

  it('stay out of attributes, of scripts and of the page’s size', async () => {
    const page = await bench.page('/frame?show=reset-password-too-short&keys=1&settings=all')
    expect(page.match(/="[^"]*<span/g)).toBeNull()
    const size = (html: string) => /(\d+\.\d KB) of/.exec(html)?.[1]
    expect(size(await bench.page('?show=reset&keys=1'))).toBe(size(await bench.page('?show=reset')))
  })
})

describe('what is missing', () => {
  it('is marked where it shows, with its key, its file and the language it came from', async () => {
    const page = await bench.page(`/frame?show=form&lang=${own}`)
    expect(page).toContain('cnino japyvla')
    expect(page).toContain('lang="en" data-missing="en · form.email · jbo.yaml"')
    expect(page).toMatch(
      new RegExp(
        `form\\.email is missing in \\S+locales/${own}\\.yaml; shown from locales/en\\.yaml:\\d+`,
      ),
    )
    expect(page).not.toContain('data-missing="en · form.title')
  })

  it('is counted', async () => {
    const gallery = await bench.page(`?lang=${own}`)
    expect(gallery).toMatch(/<b>\d\d+<\/b> texts are missing in jbo/)
    expect(await bench.page('?lang=en-XA')).not.toContain('missing in')
  })

  it('is a whole mail where a language does not have it', async () => {
    expect(await bench.page(`?show=mail-code&lang=${own}`)).toContain('data-fallback="en"')
    expect(await bench.page(`?show=mail-link&lang=${own}`)).not.toContain('data-fallback')
    const sheet = await bench.page(`?sheet=1&lang=${own}`)
    expect(sheet.match(/in en<\/b>/g)?.length).toBe(mails.length - 1)
  })
})

describe('a mail', () => {
  const part = (name: string) => bench.page(`?show=mail-code&part=${name}&settings=all`)

  it('is shown as text, as its source and by its headers', async () => {
    expect(await part('text')).toMatch(/<pre class="part"[^>]*>Your code to reset/)
    expect(await part('source')).toContain('Content-Type: text/html; charset=utf-8')
    const headers = await part('headers')
    expect(headers).toContain('Auto-Submitted: auto-generated')
    expect(headers).not.toContain('text/html')
  })

  it('is shown without its style sheet', async () => {
    expect(await bench.page('/frame?show=mail-code')).toContain('<style>')
    const bare = await bench.page('/frame?show=mail-code&part=bare')
    expect(bare).not.toContain('<style')
    expect(bare).toContain('048213')
  })

  it('is held against its budget', async () => {
    expect(await bench.page('?show=mail-link')).toMatch(
      /\d\.\d KB of 6\.0 KB; Gmail clips at 102 KB/,
    )
  })

  it('is sent to whoever asks, marked as a test', async () => {
    const answer = await bench.visitor.post('/dev/preview', {
      show: 'mail-link',
      lang: 'fr',
      to: 'me@site.example',
    })
    expect(answer.status).toBe(303)
    const [received] = await smtp.to('me@site.example')
    expect(received?.mail.subject).toMatch(/^\[Test\] Réinitialisez/)
    const sent = `The mail was sent: 127.0.0.1:${smtp.port} has taken it.`
    const location = answer.headers.get('location')?.replace('/dev/preview', '') ?? ''
    expect(await bench.page(location)).toContain(sent)
    // Loaded anew, as after a change of a file, it has sent nothing.
    expect(await bench.page(location)).not.toContain('The mail was')
    expect(await bench.page('?show=mail-link&sent=1')).not.toContain('The mail was')
  })

  it('is kept in the mailbox where there is no mail server', async () => {
    const site = await Site.start({ preview: { enabled: true } })
    const { smtp: _, ...config } = site.config
    site.config = config
    await site.server?.close()
    await site.listen()
    const visitor = site.visitor()
    const answer = await visitor.post('/dev/preview', { show: 'mail-link', to: 'me@site.example' })
    expect((await visitor.follow(answer)).body).toMatch(/The mail is kept in the mailbox, \S+:/)
    await site.stop()
  })

  it('that is not taken is told with the remedy', async () => {
    smtp.refusals.push({ code: 550, at: 'rcpt' })
    const answer = await bench.visitor.post('/dev/preview', {
      show: 'mail-link',
      to: 'me@site.example',
    })
    expect(answer.status).toBe(502)
    expect(answer.body).toContain('Check smtp.from.email and smtp.returnPath')
  })

  it('goes to nobody whose address is none', async () => {
    const answer = await bench.visitor.post('/dev/preview', { show: 'mail-link', to: 'me, you' })
    expect(answer.status).toBe(400)
    expect(answer.body).toContain('Enter an email address in the correct format')
  })
})

describe('who may look', () => {
  const paths = ['', '/frame?show=form', '/events', '/preview.css']

  it('is nobody who comes by another name, or through a proxy', async () => {
    for (const path of paths) {
      for (const headers of [
        { host: 'evil.example' },
        { host: '127.0.0.1.evil.example:80' },
        { 'x-forwarded-for': '203.0.113.1' },
      ] as Record<string, string>[]) {
        const answer = await bench.visitor.get(`/dev/preview${path}`, headers)
        expect([path, headers, answer.status]).toEqual([path, headers, 404])
      }
    }
  })

  it('is no page of another site', async () => {
    for (const path of paths) {
      const answer = await bench.visitor.get(`/dev/preview${path}`, {
        'sec-fetch-site': 'cross-site',
        'sec-fetch-mode': 'no-cors',
      })
      expect([path, answer.status]).toEqual([path, 403])
    }
    const before = smtp.mails.length
    const fields = { show: 'mail-link', to: 'me@site.example' }
    for (const headers of [
      {
        'sec-fetch-site': 'cross-site',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
      },
      { 'sec-fetch-site': '', origin: 'null' },
    ] as Record<string, string>[]) {
      expect((await bench.visitor.post('/dev/preview', fields, headers)).status).toBe(403)
    }
    const elsewhere = { 'sec-fetch-site': '', origin: 'https://evil.example' }
    expect((await bench.visitor.post('/dev/preview', fields, elsewhere)).status).toBe(404)
    expect(smtp.mails.length).toBe(before)
  })

  it('is whoever follows a link from elsewhere, or types the address', async () => {
    const opened = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    for (const site of ['cross-site', 'none']) {
      const headers = { ...opened, 'sec-fetch-site': site }
      expect((await bench.visitor.get('/dev/preview', headers)).status).toBe(200)
    }
  })

  it('gets frames that load nothing, lead nowhere and are framed by the preview alone', async () => {
    for (const [name, sandbox] of [
      ['form', 'sandbox allow-scripts'],
      ['mail-link', 'sandbox'],
    ]) {
      const { headers } = await bench.visitor.get(`/dev/preview/frame?show=${name}`)
      const rules = headers.get('content-security-policy')?.split('; ') ?? []
      expect(rules).toEqual(
        expect.arrayContaining(["default-src 'none'", "frame-ancestors 'self'", sandbox]),
      )
      expect(rules.join()).not.toContain('http')
    }
  })
})

describe('a version', () => {
  const versionOf = (html: string) => /data-version="([^"]+)"/.exec(html)?.[1]

  it('is the same in every process, until a file is another', async () => {
    const load = () => loadConfig(join(bench.folder, 'config.yaml'), { env: {} })
    const parts = {
      load,
      configFile: join(bench.folder, 'config.yaml'),
      hasMailbox: false,
      links: [],
    }
    const other = new Preview(parts)
    other.current()
    expect(versionOf(await bench.page(''))).toBe(other.version)
    bench.write('templates/email/jbo/link.eta', '---\nsubject: a\npreheader: b\n---\n<h1>c</h1>\n')
    const before = other.version
    await eventually(() => other.version !== before)
    await eventually(async () => versionOf(await bench.page('')) === other.version)
    other.close()
  })
})

describe('a change', () => {
  let work: Bench
  let preview: Preview
  beforeEach(async () => {
    work = await Bench.start({ 'config.yaml': 'site: { nmae: Riverside }\n' }, { isServed: false })
    const configFile = join(work.folder, 'config.yaml')
    const load: PreviewParts['load'] = (onFiles) =>
      loadConfig(configFile, { isPreview: true, onFiles })
    preview = new Preview({ load, configFile, hasMailbox: false, links: [] })
  })
  afterEach(async () => {
    preview.close()
    vi.restoreAllMocks()
    syncBuiltinESMExports()
    await work.stop()
  })

  /** The site's name, or the faults, once something has changed. */
  const seen = async (file: string, text: string) => {
    const { version } = preview
    work.write(file, text)
    await eventually(() => preview.version !== version)
    const scene = preview.current()
    return 'stage' in scene ? scene.stage.config.site.name : scene.faults.join()
  }

  it('of an imported file or of .env is seen', async () => {
    work.write('more/names.yaml', "site: { name: '${NAME:-Library}' }\n")
    work.write('config.yaml', 'imports: [more/names.yaml]\n')
    preview.current()
    const changed = "site: { name: '${NAME:-Museum of Art}' }\n"
    expect(await seen('more/names.yaml', changed)).toBe('Museum of Art')
    expect(await seen('.env', 'NAME=Harbour\n')).toBe('Harbour')
  })

  it('that mends a file which was missing is seen, as is one of a file that is not named any more', async () => {
    work.write('theme.css', '')
    work.write('pages/forgot.eta', readFileSync('templates/forgot.eta', 'utf8'))
    work.write('config.yaml', 'templates: pages\nsite: { name: Riverside }\n')
    preview.current()
    const missing = 'site: { name: Harbour }\ntheme: { css: late/own.css }\n'
    expect(await seen('config.yaml', missing)).toContain('theme.css: there is no file')
    expect(await seen('pages/parts/mine.eta', 'x')).toContain('theme.css: there is no file')
    expect(await seen('late/own.css', '')).toBe('Harbour')
  })

  it('that a request has seen first is told to every open page', () => {
    expect(preview.current()).toHaveProperty('faults')
    const told: string[] = []
    preview.listen((version) => told.push(version))
    work.write('config.yaml', 'site: { name: Riverside }\n')
    expect(preview.current()).toHaveProperty('stage')
    expect(told).toEqual([preview.version])
  })

  it('is looked for at each request where the system watches no more files, and that is said', async () => {
    vi.spyOn(fs, 'watch').mockImplementation(() => {
      throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    })
    syncBuiltinESMExports()
    work.write('config.yaml', 'site: { name: Riverside }\n')
    const first = preview.current()
    expect(first).toHaveProperty('stage')
    expect(preview.current()).toBe(first)
    work.write('config.yaml', 'site: { name: A later name }\n')
    expect(preview.current()).not.toBe(first)
    const request = { method: 'GET', path: '', headers: {}, parameters: {}, data: {} }
    const { body } = await new Gallery(preview).page(request)
    expect(String(body)).toContain('fs.inotify.max_user_watches')
    expect(await bench.page('')).not.toContain('max_user_watches')
  })
})

describe('where it is', () => {
  it('is the configuration’s to say, and nowhere but on this machine', () => {
    const config = (url: string) => ({
      site: { url },
      secret: 'b1f0c2d3a4958677b1f0c2d3a4958677b1f0c2d3a4958677b1f0c2d3a4958677',
      smtp: { host: 'mail.site.example' },
      users: { url: 'sqlite:users.db' },
      preview: { enabled: true },
    })
    expect(loadConfig(config('http://localhost:3000'), { env: {} }).preview.enabled).toBe(true)
    expect(() => loadConfig(config('https://site.example'), { env: {} })).toThrow(
      /preview\.enabled: must be false unless site\.url is this machine/,
    )
  })

  it('is a site that has it switched on, and no other', async () => {
    for (const [enabled, status] of [
      [true, 200],
      [false, 404],
    ] as const) {
      const site = await Site.start({ preview: { enabled } })
      expect((await site.visitor().get('/dev/preview')).status).toBe(status)
      await site.stop()
    }
  })
})
