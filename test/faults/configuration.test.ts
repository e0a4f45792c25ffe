import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { newAccount } from '../attacks/support.ts'
import { Cli } from '../support/process.ts'
import { newPassword, oldPassword, route, Site, secret } from '../support/site.ts'
import { codeIn, linkIn } from '../support/smtp.ts'
import { eventually } from '../support/wait.ts'
import { expectInvariants } from './invariants.ts'
import { keepWaiting, linksOf, mailTo, restart, write } from './support.ts'

describe('a secret that is replaced', () => {
  const next = secret.replaceAll('b', 'd')
  let site: Site
  beforeAll(async () => {
    site = await Site.start({ recovery: { methods: ['link', 'code'] } })
  })
  afterAll(() => site.stop())

  /** Gives up whatever was used before. */
  const replace = async (by: string) => {
    await site.server?.close()
    await site.rekey()
    await restart(site, { secret: by })
  }

  /** All that people can have in their hands: links, codes, forms, buttons, and a mail that waits. */
  const begin = async () => {
    await replace(secret)
    const asked = [1, 2, 3, 4].map(async () => {
      const email = newAccount(site).email
      const visitor = site.visitor()
      await visitor.post(route, { email })
      const [mail] = await site.smtp.to(email)
      return { visitor, mail }
    })
    const [linked, coded, opened, revoking] = await Promise.all(asked)
    const form = await opened?.visitor.follow(await opened.visitor.get(linkIn(opened.mail)))
    const late = newAccount(site).email
    await keepWaiting(site, late)
    const button = linksOf(revoking?.mail).find((link) => link.includes('?revoke=')) ?? ''
    return {
      late,
      open: () => site.visitor().get(linkIn(linked?.mail)),
      guess: () => coded?.visitor.post(route, { code: codeIn(coded?.mail) }),
      change: () =>
        opened?.visitor.post(route, { password: newPassword, csrf: form?.field('csrf') ?? '' }),
      press: () => site.visitor().get(button),
    }
  }

  it('Z20 goes on being recognized in all that was made with it, for as long as it is listed', async () => {
    const { late, open, guess, change, press } = await begin()
    await restart(site, { secret: [next, secret] })
    expect((await open()).headers.get('location')).toBe(`${route}?step=reset`)
    expect((await guess())?.headers.get('location')).toBe(`${route}?step=reset`)
    expect((await change())?.headers.get('location')).toBe(`${route}?step=done`)
    expect((await press()).step).toBe('revoke')
    expect((await site.reset(linkIn(await mailTo(site, late)))).status).toBe(303)
    await expectInvariants(site)
  })

  it('Z20 ends all of it when it is listed no more, with pages that say so', async () => {
    const { late, open, guess, change, press } = await begin()
    await replace(next)
    const pages = [await open(), await guess(), await change(), await press()]
    expect(pages.map((page) => [page?.status, page?.reason])).toEqual([
      [404, 'link-invalid'],
      [400, 'reference-missing'],
      [410, 'page-expired'],
      [404, 'link-invalid'],
    ])
    await eventually(async () => {
      site.clock.move(20)
      return (await site.rows('select 1 from mail_job where ended_at is null')).length === 0
    })
    expect(await site.rows("select 1 from mail_job where state = 'dead'")).not.toEqual([])
    expect(site.smtp.mails.filter(({ recipients }) => recipients.includes(late))).toEqual([])
    expect(site.hasPassword(late, oldPassword)).toBe(true)
    await expectInvariants(site)
  })
})

interface Misconfiguration {
  readonly what: string
  /** The text of its `config.yaml`. */
  readonly text: () => string
  readonly env?: Record<string, string>
  readonly code?: number
  /** What it is told. */
  readonly said: readonly RegExp[]
}

describe('a configuration that cannot be used', () => {
  const password = 'hunter2-hunter2-hunter2'
  let site: Site
  let taken: Server
  const processes = new Map<Misconfiguration, Cli>()
  beforeAll(async () => {
    site = await Site.start()
    await site.server?.close()
    taken = createServer()
    const port = Number(new URL(site.url).port)
    await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve))
    for (const [index, fault] of faults.entries()) {
      const file = join(site.folder, `fault-${index}.yaml`)
      writeFileSync(file, fault.text())
      const options = fault.env === undefined ? {} : { env: fault.env }
      processes.set(fault, new Cli(['serve', '--config', file], options, 'dist/cli/main.js'))
    }
  })
  afterAll(async () => {
    taken.close()
    await restart(site, {})
    await expectInvariants(site)
    await site.stop()
  })

  /** The site's own configuration, with some changes. */
  const whole = (change: object = {}) => {
    const smtp = { ...site.config.smtp, user: 'mailer', pass: password }
    return stringify({ ...site.config, smtp, ...change })
  }
  const faults: readonly Misconfiguration[] = [
    {
      what: 'is no YAML',
      text: () => `${whole()}more: [`,
      said: [/\/fault-0\.yaml:\d+:\d+ /],
    },
    {
      what: 'has an unknown key, a missing folder of templates, and a password file that cannot be read',
      text: () => {
        const { smtp } = site.config
        const change = { smpt: { pass: password }, templates: './nowhere' }
        return whole({ ...change, smtp: { ...smtp, user: 'mailer' } })
      },
      env: { FORGOT_SMTP__PASS_FILE: '/' },
      said: [
        /\/fault-1\.yaml:\d+:\d+ smpt: unknown key \(did you mean "smtp"\?\)/,
        /\/fault-1\.yaml:\d+:\d+ templates: there is no folder/,
        /^ {2}FORGOT_SMTP__PASS_FILE: the file it names cannot be read \(EISDIR\)$/m,
      ],
    },
    {
      what: 'has a template that includes one that is not there',
      text: () => {
        write(site, { 'own/forgot.eta': "<%~ include('parts/none') %>" })
        return whole({ templates: './own' })
      },
      said: [/\/own\/forgot\.eta:1: There is no template parts\/none\.eta/],
    },
    {
      what: 'offers a language that is not there',
      text: () => whole({ locales: { offer: ['en', 'cy'] } }),
      said: [/locales\.offer: .*\bcy\b/],
    },
    {
      what: 'has a language that cannot be read',
      text: () => {
        write(site, { 'broken/fr.yaml': 'form: { title: [' })
        return whole({ locales: { dir: './broken' } })
      },
      said: [/\/broken\/fr\.yaml:1: /],
    },
    {
      what: 'names a port that is taken',
      text: () => whole(),
      code: 1,
      said: [/^127\.0\.0\.1:\d+ cannot be listened on: .* set server\.port/],
    },
  ]

  it.each(faults)('Z21 that $what is refused, by name', async (fault) => {
    const cli = processes.get(fault)
    expect(await cli?.ended()).toBe(fault.code ?? 2)
    for (const each of fault.said) expect(cli?.errors).toMatch(each)
    expect(cli?.output).not.toContain('Listening')
    for (const hidden of [password, secret]) {
      expect(`${cli?.errors}${cli?.output}`).not.toContain(hidden)
    }
  })
})
