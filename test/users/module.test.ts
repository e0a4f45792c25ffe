import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compareSync } from 'bcryptjs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { loadUsers } from '../../src/users/module.ts'
import { newPassword, Site } from '../support/site.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forgot-users-module-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(text: string): string {
  const file = join(folder, 'my-users.mjs')
  writeFileSync(file, text)
  return file
}

describe('accounts in a module of the site’s own', () => {
  it('are recovered as those in a table are: the example', async () => {
    const file = join(folder, 'my-users.mjs')
    copyFileSync('examples/users-module/my-users.mjs', file)
    const account = { id: '1', email: 'Nina@site.example', hash: 'old' }
    writeFileSync(join(folder, 'accounts.json'), JSON.stringify([account]))
    const site = await Site.start({ users: file })
    const link = await site.mailedLink('Nina@site.example')
    expect((await site.reset(link)).status).toBe(303)
    const [changed] = JSON.parse(readFileSync(join(folder, 'accounts.json'), 'utf8'))
    expect(compareSync(newPassword, changed.hash)).toBe(true)
    expect((await site.visitor().get(link)).reason).toBe('link-used')
    await site.stop()
  })

  it('may be made by a function', async () => {
    const text = `const nobody = async () => null
      export default async () => ({ findByEmail: nobody, findById: nobody, setPassword: async () => false })`
    expect(await (await loadUsers(write(text))).findByEmail('a@site.example')).toBeNull()
  })

  it.each([
    [
      'export const users = {}',
      /must export as default an object with findByEmail, findById, setPassword/,
    ],
    [
      'export default { findByEmail() {}, findById() {} }',
      /an object with setPassword, or a function/,
    ],
    ['throw new Error("no licence")', /cannot be loaded: no licence/],
  ])('that cannot be used are refused at the start: %s', async (text, message) => {
    await expect(loadUsers(write(text))).rejects.toMatchObject({
      code: 'ERR_FORGOT_USERS',
      message: expect.stringMatching(message),
    })
  })

  it('are named by a file that is there', () => {
    const users = join(folder, 'none.mjs')
    expect(() => loadConfig({ users, site: { url: 'http://127.0.0.1' } }, { env: {} })).toThrow(
      `users: there is no file ${users}`,
    )
    expect(() => loadConfig({ users: 'mongodb://x' }, { env: {} })).toThrow(
      'users: must be a table with its keys, an https endpoint, or an ES module such as ./my-users.mjs',
    )
  })
})
