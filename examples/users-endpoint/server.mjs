// An endpoint that knows the accounts of a site: USERS_SECRET=… node server.mjs. docs/users.md tells its rules.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

// What was signed longer ago, or will be later, may be somebody's copy.
const mostSkewSeconds = 300
const mostBytes = 64 * 1024

/** Whether a body was signed with the secret, and lately. */
function isSigned(headers, body, secret) {
  const id = headers['webhook-id'] ?? ''
  const timestamp = headers['webhook-timestamp'] ?? ''
  const skew = Math.abs(Date.now() / 1000 - Number(timestamp))
  if (!/^\d+$/.test(timestamp) || skew > mostSkewSeconds) return false
  const expected = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest()
  const given = String(headers['webhook-signature'] ?? '').split(' ')
  return given.some((each) => {
    const signature = Buffer.from(each.replace(/^v1,/, ''), 'base64')
    return signature.length === expected.length && timingSafeEqual(signature, expected)
  })
}

/** Lower case for A to Z alone: others would let ı or the Kelvin sign find the account of i or k. */
const fold = (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())

const toUser = (account) => {
  if (account === undefined || !account.active) return null
  const { id, email, name, locale, hash } = account
  return { id, email, name, locale, canReset: true, version: hash }
}

/** What each question is answered with, out of a list of accounts and one of sessions. */
const actions = {
  findByEmail({ accounts }, { email }) {
    const active = accounts.filter((each) => each.active)
    const exact = active.filter((each) => each.email === email)
    const found =
      exact.length > 0 ? exact : active.filter((each) => fold(each.email) === fold(email))
    // Two that fit equally well are none: a link must not be a guess.
    return { user: found.length === 1 ? toUser(found[0]) : null }
  },

  findById({ accounts }, { id }) {
    return { user: toUser(accounts.find((each) => each.id === id)) }
  },

  // In a database: one transaction, and one UPDATE with the three conditions.
  setPassword(site, { id, email, version, hash }) {
    const account = site.accounts.find((each) => each.id === id && each.active)
    if (account === undefined || account.email !== email) return { written: false }
    // The same again, since the answer was lost: hashes are salted, and no two are the same.
    if (account.hash === hash) return { written: true }
    if (account.hash !== version) return { written: false }
    account.hash = hash
    actions.endSessions(site, { id })
    return { written: true }
  },

  endSessions(site, { id }) {
    site.sessions = site.sessions.filter((each) => each.account !== id)
    return {}
  },
}

async function read(request) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > mostBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function answer(request, site, secret) {
  if (request.method !== 'POST') return [405, {}]
  const body = await read(request)
  if (body === null) return [413, {}]
  if (!isSigned(request.headers, body, secret)) return [401, {}]
  const { action, ...question } = JSON.parse(body)
  // No account has a history of its passwords here, so hasUsed is not offered.
  if (!Object.hasOwn(actions, action)) return [501, {}]
  return [200, actions[action](site, question)]
}

/** A server for `site`, which has `accounts` and `sessions`. */
export function makeEndpoint({ site, secret }) {
  return createServer(async (request, response) => {
    const [status, json] = await answer(request, site, secret).catch(() => [400, {}])
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const secret = process.env.USERS_SECRET
  if (!secret) throw new Error('USERS_SECRET is not set')
  const nina = {
    id: '1',
    email: 'nina@site.example',
    name: 'Nina',
    locale: 'en',
    hash: '',
    active: true,
  }
  const server = makeEndpoint({ site: { accounts: [nina], sessions: [] }, secret })
  server.listen(Number(process.env.PORT ?? 4000), '127.0.0.1')
}
