import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tags } from '../support/languages.ts'
import { route, Site } from '../support/site.ts'
import type { Page, Visitor } from '../support/visitor.ts'
import { eventually } from '../support/wait.ts'
import { collectMails, kindsOf, type Mails } from './mails.ts'
import { bytesOf, raw } from './raw.ts'
import {
  endWithOrdinaryReset,
  expectOrdinaryReset,
  form,
  formats,
  json,
  newAccount,
  newAddress,
} from './support.ts'

let site: Site
let visitor: Visitor
beforeAll(async () => {
  site = await Site.start({ recovery: { methods: ['link', 'code'] } })
  visitor = site.visitor()
})
afterAll(() => site.stop())
endWithOrdinaryReset(() => site)

const script = '<script>alert(1)</script>'
const payloads = [
  `"><script>alert(1)</script>@x.test`,
  `'><img src=x onerror=alert(1)>`,
  `</title></main>${script}`,
  'javascript:alert(1)',
  `" onfocus="alert(1)" autofocus x="`,
]

/** No part of a payload has become markup; in JSON it is a text, and no browser takes that for a page. */
function expectInert(page: Page): void {
  expect(page.headers.get('x-content-type-options')).toBe('nosniff')
  expect(page.headers.get('content-security-policy')).toMatch(/script-src 'self';/)
  expect(page.headers.get('content-security-policy')).not.toMatch(/unsafe|nonce|sha256|\*|https?:/)
  if (page.headers.get('content-type')?.startsWith('application/json')) {
    expect(() => JSON.parse(page.body)).not.toThrow()
    return
  }
  for (const [tag] of page.body.matchAll(/<[a-z!/][^<>]*>/gi)) {
    expect(tag).not.toMatch(/^<(?:img|iframe|svg onload)/i)
    if (/^<script/i.test(tag)) expect(tag).toMatch(/^<script src="\/[^"]+\.js" defer>$/)
    const names = [...tag.replaceAll(/="[^"]*"/g, '=').matchAll(/[\s"]([^\s=>"]+)/g)]
    for (const [, name] of names) expect(name).not.toMatch(/^on|^autofocus$|^style$|[<'"]/i)
    for (const [, , url] of tag.matchAll(/ (href|src|action)="([^"]*)"/g))
      expect(url).toMatch(/^(?:\/|#|data:,$)/)
  }
}

describe.each(payloads)('with %j', (payload) => {
  it('K1 a field shows it as the text it is', async () => {
    for (const { post, reason } of formats) {
      const typed = await post(visitor, { email: payload })
      expect([typed.status, reason(typed)]).toEqual([400, 'email-invalid'])
      expectInert(typed)
      const fields = { code: '123456', reference: payload }
      const referred = await post(site.visitor(), fields)
      expect([referred.status, reason(referred)]).toEqual([400, 'reference-unknown'])
      expectInert(referred)
      expectInert(await post(visitor, { token: payload, password: payload, confirm: payload }))
      const { email } = newAccount(site)
      expectInert(await post(visitor, { email, lang: payload, method: payload }))
    }
    // What was typed is not lost over that.
    const shown = (await form.post(visitor, { email: payload })).field('email')
    expect(decode(shown)).toBe(payload)
  })

  it('K1 an address holds nothing of it', async () => {
    const names = ['email', 'token', 'reference', 'lang', 'step', 'reason', 'error', payload]
    for (const name of names) {
      const query = new URLSearchParams({ [name]: payload })
      for (const step of ['', '&step=code', '&step=sent', '&step=reset', '&step=done']) {
        const page = await site.visitor().get(`${route}?${query}${step}`)
        expectInert(page)
        expect(decode(page.body)).not.toContain(payload)
      }
    }
    const paths = [`/${encodeURIComponent(payload)}`, `${route}/${encodeURIComponent(payload)}`]
    for (const path of paths) {
      for (const page of [
        await visitor.get(path),
        await visitor.json(path, null, { method: 'GET' }),
      ]) {
        expect(page.status).toBe(404)
        expectInert(page)
        expect(decode(page.body)).not.toContain('alert(1)')
      }
    }
  })
})

it('K1 an address that holds signs of HTML is shown and mailed to as it is', async () => {
  const email = `o'brien&amp=${newAddress()}`
  site.database.prepare("insert into members (mail, pw_hash) values (?, 'x')").run(email)
  const asked = await visitor.post(route, { email })
  const sent = await visitor.follow(asked)
  expectInert(sent)
  expect(sent.body).toContain(email.replace('&', '&amp;').replace("'", '&#39;'))
  const [mail] = await site.smtp.to(email)
  expect(mail?.mail.html).toContain('o&#39;brien&amp;amp=')
  expect(mail?.mail.text).toContain(email)
})

it('K1 a name that holds markup is greeted as it is, or not at all', async () => {
  const people = payloads.map((payload) => ({ payload, ...newAccount(site, { name: payload }) }))
  for (const { email } of people) await visitor.post(route, { email })
  for (const { payload, email } of people) {
    const [mail] = await site.smtp.to(email)
    expect(mail?.mail.html).not.toMatch(/<(?:img|script)|<[^<>]* on\w+=/i)
    const [greeting = ''] = /^Hello.*,$/m.exec(mail?.mail.text ?? '') ?? []
    expect([`Hello ${payload},`, 'Hello,']).toContain(greeting)
  }
})

const product = '5332114'
const templates = [
  '<%= 1234*4321 %>',
  '<%~ it %>',
  '<%~ include("layout") %>',
  '${1234*4321}',
  '{{1234*4321}}',
  '#{1234*4321}',
]

/** Nothing of a template has been run, and nothing of its source is shown. */
function expectNotRun(text: string): void {
  expect(text).not.toContain(product)
  expect(text).not.toMatch(/\[object|undefined|it\.data|include\('|<!doctype html>[\s\S]*<!doctype/)
}

it('K2 no page runs a template that a visitor sends', async () => {
  for (const payload of templates) {
    const headers = { 'user-agent': payload, 'accept-language': payload, referer: payload }
    for (const { post } of formats) {
      for (const fields of [
        { email: payload },
        { email: newAddress(), lang: payload },
        { code: '123456', reference: payload },
        { token: payload, password: payload },
      ]) {
        const page = await post(site.visitor(), fields, headers)
        expectNotRun(page.body)
      }
    }
    const query = new URLSearchParams({ email: payload, lang: payload, step: payload })
    expectNotRun((await visitor.get(`${route}?${query}`, headers)).body)
    const typed = await form.post(visitor, { email: payload })
    expect(decode(typed.field('email'))).toBe(payload)
  }
})

it('K2 no mail runs a template that a visitor sends, or that an account has for a name', async () => {
  const people = templates.map((payload) => ({ payload, ...newAccount(site, { name: payload }) }))
  for (const { payload, email } of people) {
    const headers = { 'user-agent': payload, 'accept-language': payload }
    await visitor.post(route, { email, lang: payload }, headers)
  }
  for (const { payload, email } of people) {
    const [mail] = await site.smtp.to(email)
    expectNotRun(`${mail?.mail.subject} ${mail?.mail.html} ${mail?.mail.text}`)
    expect(mail?.mail.text).toContain(`Hello ${payload},`)
    expect(mail?.mail.headers.find(({ key }) => key === 'content-language')?.value).toBe('en')
  }
})

it('K2 an address that looks like a template is shown and mailed to as it is', async () => {
  for (const payload of ['{{1234*4321}}', '${1234*4321}', '{email}', '{site}']) {
    const email = `${payload}${newAddress()}`
    site.database.prepare("insert into members (mail, pw_hash) values (?, 'x')").run(email)
    const sent = await visitor.follow(await form.post(visitor, { email }))
    const answered = await json.post(visitor, { email })
    const [mail] = await site.smtp.to(email)
    for (const text of [sent.body, String(answered.json['message']), mail?.mail.text ?? '']) {
      expectNotRun(text)
      expect(decode(text)).toContain(email)
    }
  }
})

describe('a language that is none', () => {
  const strange = [
    '../../../etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    '..\\..\\etc\\passwd',
    '/etc/passwd',
    'en\0',
    'en/../fr',
    '__proto__',
    'constructor',
    'toString',
    'en_US.UTF-8',
    '*',
    'x'.repeat(9000),
    `fr${'-a'.repeat(4000)}`,
    ',;q=;q=',
  ]

  it('K4 is answered in the default one, whatever lang says', async () => {
    for (const lang of strange) {
      const name = lang.slice(0, 40)
      for (const { post, granted } of formats) {
        const browser = site.visitor()
        const page = await post(browser, { email: newAddress(), lang })
        expect([name, page.status]).toEqual([name, granted])
        const shown = granted === 303 ? await browser.follow(page) : page
        expect([name, shown.headers.get('content-language')]).toEqual([name, 'en'])
      }
      const page = await site.visitor().get(`${route}?lang=${encodeURIComponent(lang)}`)
      const seen = [name, page.status, page.headers.get('content-language')]
      expect(seen).toEqual([name, 200, 'en'])
      expect(page.body).not.toMatch(/root:|passwd/)
    }
  })

  it('K4 is mailed in the default one', async () => {
    const people = strange.map((lang) => ({ lang, ...newAccount(site, { language: lang }) }))
    for (const { lang, email } of people) await visitor.post(route, { email, lang })
    for (const { email } of people) {
      const [mail] = await site.smtp.to(email)
      expect(mail?.mail.headers.find(({ key }) => key === 'content-language')?.value).toBe('en')
    }
  })

  it('K4 is answered in the default one, whatever the browser accepts', async () => {
    for (const accepted of [
      '*;q=x',
      `${'fr-'.repeat(3000)};q=1`,
      `${',;'.repeat(5000)}fr`,
      `${'xx;q=0.9,'.repeat(1100)}fr`,
      `${'*;q=0.1,'.repeat(1100)}fr`,
      'q=1;fr',
      '../fr',
    ]) {
      const headers = { 'accept-language': accepted }
      for (const page of [
        await site.visitor().get(route, headers),
        await visitor.json(`${route}?step=done`, null, { method: 'GET', headers }),
      ]) {
        const seen = [page.status, page.headers.get('content-language')]
        expect([accepted.slice(0, 40), ...seen]).toEqual([accepted.slice(0, 40), 200, 'en'])
      }
    }
  })

  it('K4 of the cookie’s own is none that a visitor can make up', async () => {
    const page = await site.visitor().get(`${route}?step=code`, { cookie: 'forgot=../../fr' })
    expect([page.status, page.headers.get('content-language')]).toEqual([200, 'en'])
  })
})

describe('mails', () => {
  let all: ReadonlyMap<string, Mails>
  let sender: Site
  beforeAll(async () => {
    const collected = await collectMails()
    sender = collected.site
    all = collected.mails
  })
  afterAll(() => sender.stop())

  it.each(tags)('K6 in %s load nothing, run nothing and send nothing', async (tag) => {
    const mails = all.get(tag)
    if (!mails) throw new Error(`There are no mails in ${tag}`)
    const dir = new Intl.Locale(tag).getTextInfo().direction
    for (const [kind, { mail }] of kindsOf(mails)) {
      const html = mail.html ?? ''
      expect([
        kind,
        html.match(
          /<(?!\/|!|html|head|meta|title|style|body|main|div|table|tr|td|h1|p|a|small|span|br)[a-z]+/gi,
        ),
      ]).toEqual([kind, null])
      const markup = [...html.matchAll(/<[a-z][^<>]*>/gi)].join('\n')
      expect(markup).not.toMatch(/\s(?:src|srcset|background|action|poster|data|on\w+)\s*=/i)
      expect(html).not.toMatch(/url\(|@import|expression\(|javascript:|http-equiv/i)
      expect(mail.attachments).toEqual([])
      const anchors = [...html.matchAll(/<a [^>]*href="([^"]*)"[^>]*>([\s\S]*?)<\/a>/g)]
      expect(anchors.length).toBeGreaterThan(0)
      for (const [, href = '', text = ''] of anchors) {
        const url = new URL(decode(href))
        expect(url.origin).toBe(sender.url)
        expect(
          [...url.searchParams.keys()].filter((key) => /utm|track|open|id$/.test(key)),
        ).toEqual([])
        if (/^https?:|site\.example/.test(text.trim())) expect(text.trim()).toBe(href)
      }
      expect(html).toContain(`<html lang="${tag}" dir="${dir}">`)
      expect(html).toMatch(new RegExp(`<div role="article"[^>]* lang="${tag}" dir="${dir}">`))
    }
    await expectOrdinaryReset(sender)
  })
})

describe('the log', () => {
  const hostile = [
    ['a line of a log', '\n{"level":60,"time":1,"msg":"forged"}\n'],
    ['codes of a terminal', '\u001b[2J\u001b[31mforged'],
    ['the end of a line', '\r\nlevel=60 forged'],
    ['8 kB', 'forged '.repeat(1200)],
    ['the end of a text', '"}\\"},forged'],
  ] as const

  let own: Site
  /** What the mail server says instead of taking a mail. */
  let refusal = ''
  beforeAll(async () => {
    own = await Site.start()
    await own.smtp.stop()
    await own.smtp.listen(own.smtp.port, {
      onRcptTo: ({ address }, _session, done) => {
        const error = Object.assign(new Error(`<${address}> ${refusal}`), { responseCode: 451 })
        done(refusal === '' ? null : error)
      },
    })
  })
  afterAll(() => own.stop())
  endWithOrdinaryReset(() => own)

  it.each(hostile)('K8 holds nothing of it when a visitor sends %s', async (_, text) => {
    own.logLines.length = 0
    const client = own.visitor()
    for (const { post } of formats) {
      await post(client, { email: `a${text}@site.example` })
      await post(client, { email: newAddress(), lang: text, method: text })
      await post(client, { code: text, reference: text })
      await post(client, { token: text, password: text })
    }
    const path = encodeURIComponent(text)
    await client.get(`${route}?token=${path}`)
    await client.get(`/${path}`)
    for (const name of ['User-Agent', 'Referer', 'X-Forwarded-For', 'Accept-Language', 'Cookie']) {
      await raw(own, bytesOf({ path: route, headers: { [name]: text } }))
    }
    await raw(own, `GET ${text} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await raw(own, `${text}\r\n\r\n`)
    const entries = own.logLines.map(parseLine)
    expect(entries.length).toBeGreaterThan(10)
    expect(entries.filter((entry) => JSON.stringify(entry).includes('forged'))).toEqual([])
  })

  it.each(hostile)(
    'K8 holds it as one short text when the mail server says %s',
    async (_, text) => {
      const { email } = newAccount(own, { name: `Robin ${text}` })
      own.logLines.length = 0
      refusal = text
      await own.visitor().post(route, { email })
      await eventually(() => own.logLines.some((line) => line.includes('mail not accepted')))
      refusal = ''
      // Time does not pass by itself here, and the mail is tried again in a moment.
      await eventually(() => {
        own.clock.move(10)
        return own.smtp.mails.some((mail) => mail.recipients.includes(email))
      })
      const entries = own.logLines.map(parseLine)
      const told = entries.filter((entry) => JSON.stringify(entry).includes('forged'))
      expect(told.length).toBeGreaterThan(0)
      for (const { level, msg } of told) {
        expect([level, msg]).toEqual([40, 'mail not accepted, to be tried again'])
      }
    },
  )
})

/** The entry that is all there is on a line: nothing in it begins another, or tells a terminal what to do. */
function parseLine(line: string): { level: number; msg: string } {
  expect(line.endsWith('}\n')).toBe(true)
  expect(line.slice(0, -1)).not.toMatch(/\p{Cc}/u)
  expect(Buffer.byteLength(line)).toBeLessThan(4096)
  return JSON.parse(line)
}

/** The text that a piece of HTML stands for. */
function decode(html: string): string {
  const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', amp: '&' }
  return html.replace(/&(?:#(\d+)|(\w+));/g, (whole, code?: string, name = '') =>
    code === undefined ? (named[name] ?? whole) : String.fromCodePoint(Number(code)),
  )
}
