import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Users } from '../../src/users/users.ts'

/** The columns of a table that tests map, under names that no default has. */
export const columns = {
  id: 'member_no',
  email: 'mail',
  password: 'pw',
  name: 'full_name',
  locale: 'lang',
  where: "status = 'ok' or 1 = 0",
}

/** What a test of a users implementation gives the contract. */
export interface UsersFixture {
  open(): Promise<Users & { close(): Promise<void> }>
  /** Adds an account with the password hash `old`; its identifier. */
  add(account: { email: string; name?: string; locale?: string; active?: boolean }): Promise<string>
  /** Signs an account in. */
  signIn(id: string): Promise<void>
  /** What is stored: the hash, and how many sessions there are. */
  look(id: string): Promise<{ hash: string; sessions: number }>
  /** Changes an account as the site itself would. */
  change(id: string, change: { email?: string; hash?: string; active?: boolean }): Promise<void>
  clean(): Promise<void>
}

/** The promises of the users port, held against any implementation. */
export function usersContract(name: string, makeFixture: () => UsersFixture): void {
  describe(`users in ${name}`, () => {
    let fixture: UsersFixture
    let users: Users & { close(): Promise<void> }

    beforeEach(async () => {
      fixture = makeFixture()
      users = await fixture.open()
    })

    afterEach(async () => {
      await users.close()
      await fixture.clean()
    })

    it('finds an account in its stored spelling', async () => {
      const id = await fixture.add({ email: 'Alice@Site.example', name: 'Alice', locale: 'fr' })
      const user = { id, email: 'Alice@Site.example', name: 'Alice', locale: 'fr' }
      expect(await users.findByEmail('Alice@Site.example')).toMatchObject(user)
      expect(await users.findByEmail('aLICE@site.EXAMPLE')).toMatchObject(user)
      expect(await users.findById(id)).toMatchObject(user)
    })

    it('finds nobody who is not there', async () => {
      expect(await users.findByEmail('nobody@site.example')).toBeNull()
      expect(await users.findById('99999')).toBeNull()
    })

    it('prefers the exact spelling and guesses between no two others', async () => {
      const upper = await fixture.add({ email: 'Bob@site.example' })
      await fixture.add({ email: 'bob@site.example' })
      expect((await users.findByEmail('Bob@site.example'))?.id).toBe(upper)
      expect(await users.findByEmail('BOB@site.example')).toBeNull()
    })

    it('finds nobody by an address that two accounts share', async () => {
      await fixture.add({ email: 'pair@site.example' })
      await fixture.add({ email: 'pair@site.example' })
      expect(await users.findByEmail('pair@site.example')).toBeNull()
    })

    it.each(['mıke@site.example', 'mi\u212Ae@site.example', 'ſue@site.example'])(
      'does not take %s for an address that only looks like it',
      async (typed) => {
        await fixture.add({ email: 'mike@site.example' })
        await fixture.add({ email: 'sue@site.example' })
        expect(await users.findByEmail(typed)).toBeNull()
      },
    )

    it('does not know accounts that must not be recovered', async () => {
      const id = await fixture.add({ email: 'mallory@site.example', active: false })
      expect(await users.findByEmail('mallory@site.example')).toBeNull()
      expect(await users.findById(id)).toBeNull()
    })

    it('writes a password and ends that account’s sessions', async () => {
      const id = await fixture.add({ email: 'alice@site.example' })
      const other = await fixture.add({ email: 'bob@site.example' })
      for (const each of [id, id, other]) await fixture.signIn(each)
      const user = await users.findById(id)
      expect(user && (await users.setPassword(user, 'new'))).toBe(true)
      expect(await fixture.look(id)).toEqual({ hash: 'new', sessions: 0 })
      expect(await fixture.look(other)).toEqual({ hash: 'old', sessions: 1 })
    })

    it('ends an account’s sessions, and nobody else’s', async () => {
      const id = await fixture.add({ email: 'alice@site.example' })
      const other = await fixture.add({ email: 'bob@site.example' })
      for (const each of [id, id, other]) await fixture.signIn(each)
      await users.endSessions?.(id)
      expect(await fixture.look(id)).toEqual({ hash: 'old', sessions: 0 })
      expect(await fixture.look(other)).toEqual({ hash: 'old', sessions: 1 })
    })

    it.each([
      ['password', { hash: 'theirs' }],
      ['address', { email: 'new@site.example' }],
      ['state', { active: false }],
    ])('writes nothing once the %s has changed', async (_, change) => {
      const id = await fixture.add({ email: 'alice@site.example' })
      await fixture.signIn(id)
      const user = await users.findById(id)
      await fixture.change(id, change)
      expect(user && (await users.setPassword(user, 'new'))).toBe(false)
      const hash = 'hash' in change ? change.hash : 'old'
      expect(await fixture.look(id)).toEqual({ hash, sessions: 1 })
    })

    it('writes one of many passwords that are set at once', async () => {
      const id = await fixture.add({ email: 'alice@site.example' })
      const user = await users.findById(id)
      const results = await Promise.all(
        Array.from({ length: 16 }, (_, index) => user && users.setPassword(user, `new ${index}`)),
      )
      expect(results.filter((isWritten) => isWritten)).toHaveLength(1)
      expect((await fixture.look(id)).hash).toBe(`new ${results.indexOf(true)}`)
    })

    it('gives a first password to an account that has none', async () => {
      const id = await fixture.add({ email: 'fresh@site.example' })
      await fixture.change(id, { hash: '' })
      const user = await users.findById(id)
      expect(user && (await users.setPassword(user, 'first'))).toBe(true)
    })

    it('has another version after each change of password', async () => {
      const id = await fixture.add({ email: 'alice@site.example' })
      const before = await users.findById(id)
      await fixture.change(id, { hash: 'theirs' })
      expect((await users.findById(id))?.version).not.toBe(before?.version)
    })
  })
}
