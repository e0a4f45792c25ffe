import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'
import { run } from '../src/cli/run.ts'
import type { ConfigInput } from '../src/config/config.ts'
import { loadConfig } from '../src/config/load.ts'
import { createServer } from '../src/server.ts'
import { hours, minutes } from './support/clock.ts'
import { accounts, newPassword, route, Site, secret } from './support/site.ts'
import { codeIn } from './support/smtp.ts'
import { Visitor } from './support/visitor.ts'
import { eventually, freePort } from './support/wait.ts'

const { alice, bob, mallory } = accounts

/** A database server that machines share. */
export interface SharedDatabases {
  /** An empty database; its URL. */
  makeDatabase(name: string): Promise<string>
}

interface Server {
  readonly url: string
  readonly visitor: Visitor
  close(): Promise<unknown>
}

/** The promises of a site on several machines, held against any database that they share. */
export function machinesContract(name: string, databases: () => SharedDatabases): void {
  describe(`machines that share ${name}`, () => {
    let site: Site
    let made = 0
    const others: Server[] = []

    afterEach(async () => {
      vi.restoreAllMocks()
      await Promise.all(others.splice(0).map((other) => other.close()))
      await site.stop()
    })

    function newDatabase(): Promise<string> {
      made += 1
      return databases().makeDatabase(`machines${process.pid}_${made}`)
    }

    async function start(config: ConfigInput = {}): Promise<void> {
      site = await Site.start({ ...config, store: { url: await newDatabase() } })
    }

    /** One more machine on the same store. */
    async function another(over: ConfigInput = {}): Promise<Server> {
      const port = await freePort()
      const config = loadConfig({ ...site.config, ...over, server: { port } }, { env: {} })
      const { clock } = site
      const app = await createServer(config, { clock, logStream: { write: () => true } })
      await app.listen({ host: '127.0.0.1', port })
      const url = `http://127.0.0.1:${port}`
      const server = { url, visitor: new Visitor(url), close: () => app.close() }
      others.push(server)
      return server
    }

    /** The command line with the site's own file; what it has said. */
    async function command(...args: string[]): Promise<{ code: number; said: string }> {
      const file = join(site.folder, 'config.yaml')
      writeFileSync(file, stringify(site.config))
      const output = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
      const errors = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
      const code = (await run([...args, '--config', file])) ?? 0
      return { code, said: [...output.mock.calls, ...errors.mock.calls].flat().join('') }
    }

    it('recovers by a link, once', async () => {
      await start()
      const link = await site.mailedLink(alice.email)
      expect((await site.reset(link)).headers.get('location')).toContain('step=done')
      expect(site.hasPassword(alice.email, newPassword)).toBe(true)
      expect((await site.visitor().get(link)).reason).toBe('link-used')
    })

    it('recovers by a code, and counts its wrong tries', async () => {
      await start({ recovery: { methods: ['code'], codeTries: 2 } })
      const visitor = site.visitor()
      await visitor.post(route, { email: alice.email })
      const [received] = await site.smtp.to(alice.email)
      const code = codeIn(received)
      const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0')
      expect((await visitor.post(route, { code: wrong })).status).toBe(400)
      const form = await visitor.follow(await visitor.post(route, { code }))
      expect(form.step).toBe('reset')
      const fields = { password: newPassword, csrf: form.field('csrf') }
      expect((await visitor.post(route, fields)).status).toBe(303)
    })

    it('lets one of 64 simultaneous uses of a link win, whichever machine they reach', async () => {
      await start()
      const link = await site.mailedLink(alice.email)
      const token = new URL(link).searchParams.get('token') ?? ''
      const visitors = [site.visitor(), (await another()).visitor]
      const answers = await Promise.all(
        Array.from({ length: 64 }, (_, index) => {
          const password = `the password of visitor number ${index}`
          return visitors[index % 2]?.json(route, { token, password })
        }),
      )
      const winners = answers.flatMap((answer, index) => (answer?.status === 200 ? [index] : []))
      expect(winners).toHaveLength(1)
      expect(site.hasPassword(alice.email, `the password of visitor number ${winners[0]}`)).toBe(
        true,
      )
    })

    it('mails an address once a minute, however many ask on however many machines', async () => {
      await start({ limits: { perAccount: ['1/60s'] } })
      const visitors = [site.visitor(), (await another()).visitor, (await another()).visitor]
      await Promise.all(
        Array.from({ length: 60 }, (_, index) =>
          visitors[index % 3]?.post(route, {
            email: index % 2 === 0 ? alice.email : mallory.email,
          }),
        ),
      )
      await site.smtp.to(alice.email)
      await eventually(async () => {
        const owed = await site.rows(
          "select 1 as one from mail_job where state in ('queued', 'sending')",
        )
        return owed.length === 0
      })
      expect(site.smtp.mails).toHaveLength(1)
      expect(await site.rows('select 1 as one from mail_job')).toHaveLength(2)
      expect(await site.rows('select 1 as one from password_reset')).toHaveLength(2)
    })

    it('counts the tries of a code together', async () => {
      await start({ recovery: { methods: ['code'] } })
      const asked = await site.visitor().json(route, { email: alice.email })
      const { reference } = asked.json['data'] as { reference: string }
      await site.smtp.to(alice.email)
      const visitors = [site.visitor(), (await another()).visitor]
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          visitors[index % 2]?.json(route, { reference, code: String(100_000 + index) }),
        ),
      )
      expect(answers.filter((answer) => answer?.status === 400)).toHaveLength(4)
      expect(answers.filter((answer) => answer?.status === 429)).toHaveLength(36)
      expect(await site.rows('select tries from password_reset')).toEqual([{ tries: 5 }])
    })

    it('say so when their clock is not the database’s', async () => {
      await start()
      const said = () => site.logLines.filter((line) => line.includes('the clocks of this machine'))
      expect(said()).toEqual([])
      await site.server?.close()
      site.clock.move(minutes(1))
      await site.listen()
      const [line] = said()
      expect(JSON.parse(line ?? '{}').skewMs).toBeGreaterThan(50_000)
      expect(JSON.parse(line ?? '{}').skewMs).toBeLessThan(70_000)
    })

    it('counts a client’s requests together', async () => {
      await start({ limits: { perClient: '6/10m' } })
      const visitors = [site.visitor(), (await another()).visitor]
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          visitors[index % 2]?.post(route, { email: `person${index}@site.example` }),
        ),
      )
      expect(answers.filter((answer) => answer?.status === 303)).toHaveLength(6)
      expect(answers.filter((answer) => answer?.status === 429)).toHaveLength(6)
    })

    it('take over the live links and waiting mails of an SQLite file', async () => {
      site = await Site.start({ store: { url: 'sqlite:store.db' } })
      const link = await site.mailedLink(alice.email)
      await site.smtp.stop()
      await site.visitor().post(route, { email: bob.email })
      await site.server?.close()
      const url = await newDatabase()
      expect(await command('store', 'copy', '--to', url)).toMatchObject({
        code: 0,
        said: expect.stringMatching(/^\d+ rows copied\./),
      })
      site.config = { ...site.config, store: { url } }
      await site.smtp.listen()
      // The first try has failed: the site's clock stands still until the second is due.
      site.clock.move(minutes(1))
      await site.listen()
      await site.smtp.to(bob.email)
      expect((await site.reset(link)).status).toBe(303)
      site.config = { ...site.config, store: { url: `sqlite:${site.folder}/store.db` } }
      expect(await command('store', 'copy', '--to', url)).toMatchObject({
        code: 2,
        said: expect.stringContaining('is in use already: name an empty one'),
      })
    })

    describe('replace their secret', () => {
      const next = secret.replaceAll('b', 'c')

      it('one after the other, and no link, code or form is lost on the way', async () => {
        await start()
        const old = await site.mailedLink(alice.email)
        // First all learn to recognize the new one, then each begins to use it.
        await site.server?.close()
        site.config = { ...site.config, secret: [secret, next] }
        await site.listen()
        const ahead = await another({ secret: [next, secret] })
        const form = await ahead.visitor.follow(await ahead.visitor.get(old))
        expect(form.step).toBe('reset')
        const newest = await site.mailedLink(bob.email, new Visitor(ahead.url))
        expect((await site.visitor().get(newest)).status).toBe(303)
        await site.server?.close()
        site.config = { ...site.config, secret: [next, secret] }
        await site.listen()
        const fields = { password: newPassword, csrf: form.field('csrf') }
        const changed = await ahead.visitor.post(route, fields)
        expect(changed.headers.get('location')).toContain('step=done')
        expect((await site.reset(newest)).headers.get('location')).toContain('step=done')
      })

      it('and one that lacks a secret the others use does not start', async () => {
        await start()
        const missing = { code: 'ERR_FORGOT_CONFIG', message: expect.stringMatching(/^secret: /) }
        await expect(another({ secret: next })).rejects.toMatchObject(missing)
        await another({ secret: [next, secret] })
        await expect(another({ secret })).rejects.toMatchObject(missing)
        await expect(another({ secret: next })).rejects.toMatchObject(missing)
        // A day after it was last used, nothing is left that was made with the old one.
        site.clock.move(hours(25))
        await expect(another({ secret: next })).resolves.toBeDefined()
      })

      it('at once, where one was lost or stolen: what was made with it is void', async () => {
        await start()
        const link = await site.mailedLink(alice.email)
        await site.server?.close()
        expect((await command('store', 'rekey')).code).toBe(0)
        site.config = { ...site.config, secret: next }
        await site.listen()
        expect((await site.visitor().get(link)).reason).toBe('link-invalid')
        await site.reset(await site.mailedLink(alice.email))
        expect(site.hasPassword(alice.email, newPassword)).toBe(true)
      })
    })
  })
}
