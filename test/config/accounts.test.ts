import { describe, expect, it } from 'vitest'
import type { Config, ConfigInput } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ForgotError } from '../../src/errors.ts'

const secret = 'a secret of the accounts, of enough length'
const hookSecret = 'another secret, which events are signed with'
const url = 'https://site.example/internal/accounts'
const site = { url: 'http://127.0.0.1:3000' }

function load(users: unknown, over: ConfigInput = {}, env: Record<string, string> = {}): Config {
  return loadConfig({ site, ...over, users: users as string }, { env })
}

/** What is wrong with `users`. */
function problemsOf(users: unknown, over: ConfigInput = {}): readonly string[] {
  try {
    load(users, over)
    return []
  } catch (error) {
    if (!(error instanceof ForgotError)) throw error
    expect(error.code).toBe('ERR_FORGOT_CONFIG')
    return error.problems
  }
}

describe('accounts behind an endpoint', () => {
  it('are an address, a secret and a time', () => {
    const users = { url, secret, timeout: '500ms' }
    expect(load(users).users).toEqual({ url, secret, timeoutMs: 500 })
    expect(load({ url, secret }).users).toEqual({ url, secret, timeoutMs: 3000 })
  })

  it('are signed for with the secret of the hooks where they have none', () => {
    const hooks = { secret: hookSecret }
    expect(load(url, { hooks }).users).toEqual({ url, secret: hookSecret, timeoutMs: 3000 })
    expect(load({ url }, { hooks }).users).toMatchObject({ secret: hookSecret })
    expect(load({ url, secret }, { hooks }).users).toMatchObject({ secret })
  })

  it('are not asked without a secret', () => {
    const rule = 'is required with an endpoint'
    expect(problemsOf(url)).toEqual([expect.stringContaining(`hooks.secret: ${rule}`)])
    expect(problemsOf({ url })).toEqual([expect.stringContaining(`users.secret: ${rule}`)])
    expect(problemsOf({ url, secret: 'short' })).toEqual([
      expect.stringContaining('users.secret: must be 32 characters or more'),
    ])
  })

  it('can be set from the environment', () => {
    const env = {
      FORGOT_USERS__URL: url,
      FORGOT_USERS__SECRET: secret,
      FORGOT_USERS__TIMEOUT: '1s',
    }
    const expected = { url, secret, timeoutMs: 1000 }
    expect(loadConfig({ site }, { env }).users).toEqual(expected)
  })

  it('are asked over http on this machine alone', () => {
    const local = 'http://127.0.0.1:4000/accounts'
    expect(load({ url: local, secret }).users).toMatchObject({ url: local })
    for (const each of ['http://site.example/accounts', 'https://user:pw@site.example/accounts']) {
      const [problem, ...others] = problemsOf({ url: each, secret })
      expect(problem).toContain('users.url: must be a database')
      expect(problem).not.toContain('pw')
      expect(others).toEqual([])
      expect(problemsOf(each, { hooks: { secret } })[0]).toContain('users: must be a table')
    }
  })

  it('have no columns', () => {
    const asWritten = { table: 'users', id: 'id', where: null, sessions: null }
    expect(load({ url, secret, ...asWritten }).users).toEqual({ url, secret, timeoutMs: 3000 })
    const over = { table: 'members', where: 'active = 1', sessions: { table: 's', user: 'u' } }
    expect(problemsOf({ url, secret, ...over })).toEqual([
      expect.stringContaining('users.table: does not go with an endpoint'),
      expect.stringContaining('users.where: does not go with an endpoint'),
      expect.stringContaining('users.sessions: does not go with an endpoint'),
    ])
  })

  it.each(['10s', '50ms', '3'])('answer in no time such as %s', (timeout) => {
    expect(problemsOf({ url, secret, timeout })).toEqual([
      expect.stringContaining('users.timeout: must be a duration from 100ms to 9s'),
    ])
  })
})

describe('accounts in MongoDB', () => {
  const mongo = 'mongodb://site:pw@db1.example:27017,db2.example/site?replicaSet=rs0'

  it('have the keys of a table, and _id for an identifier', () => {
    const where = { active: true, 'state.blocked': null, plan: 'pro', level: 3 }
    const users = { url: mongo, table: 'accounts', where }
    expect(load(users).users).toMatchObject({ url: mongo, table: 'accounts', id: '_id', where })
    expect(load({ ...users, id: 'id' }).users).toMatchObject({ id: 'id' })
    expect(load({ url: 'mongodb+srv://db.example/site' }).users).toMatchObject({ where: null })
  })

  it.each([
    'mongodb://db.example',
    'mongodb://db.example/',
    'mongodb://db.example/?a=b',
    'mongodb://site:p/w@db.example/site',
    'mongodb://site:p@w@db.example/site',
    'mongodb://site:pw@db.example/site?appName=@x',
  ])('need a database, and a password that shows where it ends: %s', (each) => {
    const [problem = '', ...others] = problemsOf({ url: each })
    expect(problem).toContain('users.url: must be a database')
    expect(problem).not.toContain('p/w')
    expect(others).toEqual([])
  })

  it.each([
    [{ $where: 'sleep(1000)' }, 'must be the name of a field'],
    [{ 'a.$ne': 1 }, 'must be the name of a field'],
    [{ 'a\0b': 1 }, 'must be the name of a field'],
    [{ '': 1 }, 'must be the name of a field'],
    [{ active: { $ne: true } }, 'must be text, a number, true, false or null'],
    [{ active: [true] }, 'must be text, a number, true, false or null'],
    ['active = 1', 'must be fields with their values for MongoDB'],
  ])('are compared with values alone, and not by operators: %j', (where, rule) => {
    expect(problemsOf({ url: mongo, where })).toEqual([expect.stringContaining(rule)])
  })

  it.each(['$where', 'a\0b', 'a.$x'])('have no field %j', (email) => {
    expect(problemsOf({ url: mongo, email })).toEqual([
      expect.stringContaining('users.email: must be the name of a table or column'),
    ])
  })

  it('are in MongoDB alone, and the store is not', () => {
    expect(problemsOf({ url: mongo }, { store: { url: mongo } })).toEqual([
      expect.stringContaining('store.url: must be an SQL database: MongoDB can hold the accounts'),
    ])
  })
})

describe('accounts in a table', () => {
  it('meet a condition in SQL, and have no secret', () => {
    const users = { url: 'sqlite:site.db', where: { active: true }, secret, timeout: '1s' }
    expect(problemsOf(users)).toEqual([
      expect.stringContaining('users.secret: goes with an endpoint alone'),
      expect.stringContaining('users.timeout: goes with an endpoint alone'),
      expect.stringContaining('users.where: must be an SQL condition'),
    ])
    const asWritten = { secret: null, timeout: '3s', where: 'active = 1' }
    const { users: table } = load({ url: 'sqlite:/site.db', ...asWritten })
    expect(table).toMatchObject({ id: 'id', where: 'active = 1' })
    expect(table).not.toHaveProperty('secret')
  })
})
