import { readFile, rename, writeFile } from 'node:fs/promises'

const file = new URL('accounts.json', import.meta.url)

/** @returns {Promise<{ id: string, email: string, hash: string }[]>} */
async function read() {
  return JSON.parse(await readFile(file, 'utf8'))
}

/** @param {{ id: string, email: string, hash: string } | undefined} account */
function toUser(account) {
  if (account === undefined) return null
  const { id, email, hash } = account
  // The version changes with the password: a link that was mailed before the change is worth nothing after it.
  return { id, email, name: null, locale: null, version: hash }
}

/** @type {import('fastify-forgot-password').UsersModule} */
const users = {
  async findByEmail(email) {
    const found = (await read()).filter((each) => each.email.toLowerCase() === email.toLowerCase())
    return found.length === 1 ? toUser(found[0]) : null
  },

  async findById(id) {
    return toUser((await read()).find((each) => each.id === id))
  },

  async setPassword(user, hash) {
    const accounts = await read()
    const account = accounts.find((each) => each.id === user.id && each.hash === user.version)
    if (account === undefined) return false
    account.hash = hash
    // A reader sees the old file or the new one, and never half of it.
    await writeFile(new URL('accounts.json.part', import.meta.url), JSON.stringify(accounts))
    await rename(new URL('accounts.json.part', import.meta.url), file)
    return true
  },
}

export default users
