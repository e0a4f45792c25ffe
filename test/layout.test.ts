import { type FastifyInstance, fastify } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ForgotPasswordOptions, forgotPassword } from '../src/fastify.ts'
import type { Fragment, Layout } from '../src/layout.ts'
import { accounts, newPassword, route, Site } from './support/site.ts'
import { linkIn } from './support/smtp.ts'
import { type Page, Visitor } from './support/visitor.ts'
import { freePort } from './support/wait.ts'

const { alice } = accounts

let site: Site
let host: FastifyInstance | null = null
let visitor: Visitor

beforeEach(async () => {
  site = await Site.start({ theme: { layout: false } })
  visitor = site.visitor()
})
afterEach(async () => {
  await host?.close()
  host = null
  await site.stop()
})

/** A site with the module in it, instead of the standalone server. */
async function serve(options: Omit<ForgotPasswordOptions, 'config'>, layout = true): Promise<void> {
  await site.server?.close()
  site.server = null
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  host = fastify({ logger: { stream: { write: (line) => site.logLines.push(line) } } })
  const config = { ...site.config, site: { name: 'Riverside', url }, theme: { layout } }
  await host.register(forgotPassword, { config, ...options })
  await host.listen({ port, host: '127.0.0.1' })
  visitor = new Visitor(url)
}

/** The pages of a recovery, in their order. */
async function recover(): Promise<Page[]> {
  const form = await visitor.get(route)
  const wrong = await visitor.post(route, { email: 'alice' })
  const sent = await visitor.follow(await visitor.post(route, { email: alice.email }))
  const link = linkIn((await site.smtp.to(alice.email))[0])
  site.secrets.add(new URL(link).searchParams.get('token') ?? '')
  const reset = await visitor.follow(await visitor.get(link))
  const fields = { password: newPassword, csrf: reset.field('csrf') }
  const done = await visitor.follow(await visitor.post(route, fields))
  expect(site.hasPassword(alice.email, newPassword)).toBe(true)
  return [form, wrong, sent, reset, done, await visitor.get(link)]
}

const steps = ['form', 'form', 'sent', 'reset', 'done', 'error']
const frames = /<(?:!doctype|html|head|body|title|main|link|script)\b/i

function expectFragments(pages: readonly Page[]): void {
  expect(pages.map(({ step }) => step)).toEqual(steps)
  for (const { body, headers } of pages) {
    expect(body.trim()).toMatch(/^<section class="forgot" lang="en" dir="ltr".*<\/section>$/s)
    expect(body).not.toMatch(frames)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  }
}

it('leaves fragments where theme.layout is false, and their forms work', async () => {
  expectFragments(await recover())
})

it('leaves fragments where the option layout is false, whatever the configuration says', async () => {
  await serve({ layout: false })
  expectFragments(await recover())
})

it('leaves pages whole where neither says otherwise', async () => {
  await serve({})
  expect((await visitor.get(route)).body).toMatch(/^<!doctype html>\n<html lang="en" dir="ltr">/)
})

describe('a layout of the host’s own', () => {
  const seen: Fragment[] = []
  const layout: Layout = async (page) => {
    seen.push(page)
    return `<!doctype html><html lang="${page.lang}" dir="${page.dir}"><title>${page.title} | Host</title><link rel="stylesheet" href="${page.assets.style}"><main>${page.body}</main></html>`
  }

  it.each([true, false])('has every page in it, with theme.layout: %s', async (isWhole) => {
    await serve({ layout }, isWhole)
    const pages = await recover()
    expect(pages.map(({ step }) => step)).toEqual(steps)
    const titles = pages.map(({ body }) => /<title>(.*) \| Host<\/title>/.exec(body)?.[1])
    expect(titles).toEqual([
      'Reset your password',
      'Reset your password',
      'Check your email',
      'Choose a new password',
      'Your password has been changed',
      'This link has already been used',
    ])
    for (const { body } of pages) {
      expect(body).toMatch(/^<!doctype html><html lang="en" dir="ltr">/)
      expect(body.match(/<main>\s*<section class="forgot"/g)).toHaveLength(1)
      expect(body.match(/<h1\b/g)).toHaveLength(1)
    }
  })

  it('is told the language, its direction, the step, and where the style sheet is', async () => {
    await serve({ layout })
    const page = await visitor.post(`${route}?lang=ar`, { email: '', lang: 'ar' })
    expect(page.status).toBe(400)
    expect(page.body).toMatch(/^<!doctype html><html lang="ar" dir="rtl">/)
    expect(seen.at(-1)).toMatchObject({
      ...{ step: 'form', reason: 'email-missing', lang: 'ar', dir: 'rtl' },
      languages: expect.arrayContaining([expect.objectContaining({ tag: 'ar', isCurrent: true })]),
    })
    const style = await visitor.get(seen.at(-1)?.assets.style ?? '')
    expect([style.status, style.headers.get('content-type')]).toEqual([
      200,
      'text/css; charset=utf-8',
    ])
  })

  it('is on no answer for programs', async () => {
    await serve({ layout })
    const before = seen.length
    expect((await visitor.json(route, { email: alice.email })).status).toBe(202)
    expect(seen).toHaveLength(before)
  })

  const failed = () =>
    site.logLines.map((line) => JSON.parse(line)).filter(({ level }) => level >= 50)

  it('that throws is a 500 for the visitor, and two lines of the log with its cause', async () => {
    await serve({
      layout: () => {
        throw new TypeError('no navigation')
      },
    })
    const page = await visitor.get(route)
    expect([page.status, page.step, page.reason]).toEqual([500, 'error', 'internal'])
    expect(page.reference).not.toBe('')
    expect(page.body).not.toContain('navigation')
    const cause = { type: 'TypeError', message: 'no navigation' }
    expect(failed()).toMatchObject([
      { msg: 'request failed', incident: page.reference, error: cause },
      { msg: 'the error page cannot be rendered', error: cause },
    ])
  })

  it('that throws on one page has the error page in it', async () => {
    await serve({
      layout: async (page) => {
        if (page.step === 'form') throw new Error('no navigation')
        return layout(page)
      },
    })
    const page = await visitor.get(route)
    expect([page.status, page.reason]).toEqual([500, 'internal'])
    expect(page.body).toContain('| Host</title>')
    expect(failed()).toMatchObject([{ msg: 'request failed', incident: page.reference }])
  })
})
