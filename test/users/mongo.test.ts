import { inspect } from 'node:util'
import { type Document, Long, ObjectId, UUID } from 'mongodb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { UserCollection } from '../../src/config/config.ts'
import { MongoUsers } from '../../src/users/mongo.ts'
import { takes } from '../support/login.ts'
import { MongoDouble } from '../support/mongo.ts'
import { newPassword, Site } from '../support/site.ts'
import { columns, usersContract } from './contract.ts'
import { closedPort } from './endpoint.ts'

const password = 'hunter2secret'
const mapping = {
  table: 'members',
  ...columns,
  id: '_id',
  where: { status: 'ok', 'state.blocked': null },
  sessions: { table: 'logins', user: 'who' },
}

let double: MongoDouble
let users: MongoUsers | null = null

async function start(isReplicaSet: boolean): Promise<void> {
  double = await MongoDouble.start({ isReplicaSet })
  double.create('members')
  double.create('logins')
}
const open = async (over: Partial<UserCollection> = {}): Promise<MongoUsers> => {
  users = await MongoUsers.open({ url: `mongodb://${double.host}/site`, ...mapping, ...over })
  return users
}
const add = (over: Document = {}): string => {
  const _id = new ObjectId()
  const account = { _id, mail: 'alice@site.example', pw: 'old', status: 'ok' }
  double.add('members', { ...account, ...over })
  return _id.toHexString()
}
const stop = async () => {
  await users?.close()
  users = null
  await double.stop()
}
const signIn = (who: unknown) => double.add('logins', { _id: new ObjectId(), who })

const idOf = (id: string) => ({ _id: { $eq: ObjectId.isValid(id) ? new ObjectId(id) : id } })

for (const kind of ['standalone', 'replica set'] as const) {
  describe(kind, () => {
    beforeEach(() => start(kind === 'replica set'))
    afterEach(stop)

    usersContract(`MongoDB, ${kind}`, () => ({
      open,
      add: async ({ email, name = null, locale = null, active = true }) =>
        add({ mail: email, full_name: name, lang: locale, status: active ? 'ok' : 'off' }),
      signIn: async (id) => signIn(new ObjectId(id)),
      look: async (id) => {
        const isTheirs = (each: Document) => each['who'].toHexString() === id
        const account = double.documents('members').find((each) => each['_id'].toHexString() === id)
        const sessions = double.documents('logins').filter(isTheirs).length
        return { hash: account?.['pw'], sessions }
      },
      change: async (id, { email, hash, active }) => {
        if (email !== undefined) double.set('members', idOf(id), { mail: email })
        if (hash !== undefined) double.set('members', idOf(id), { pw: hash || null })
        if (active !== undefined) double.set('members', idOf(id), { status: active ? 'ok' : 'off' })
      },
      clean: async () => {},
    }))

    it('writes with majority', async () => {
      const id = add()
      const user = await (await open()).findById(id)
      expect(user && (await users?.setPassword(user, 'new'))).toBe(true)
      const name = kind === 'standalone' ? 'update' : 'commitTransaction'
      expect(double.sent(name).at(-1)?.['writeConcern']).toMatchObject({ w: 'majority' })
    })

    it('recovers an account from the form to the new password', async () => {
      add({ mail: 'nina@site.example' })
      const url = `mongodb://${double.host}/site`
      const site = await Site.start({ users: { url, ...mapping } })
      const link = await site.mailedLink('nina@site.example')
      expect((await site.reset(link)).status).toBe(303)
      expect(takes(double.documents('members')[0]?.['pw'], newPassword)).toBe(true)
      expect((await site.visitor().get(link)).reason).toBe('link-used')
      await site.stop()
    })
  })
}

/** What an error tells, with all that caused it. */
async function wordsOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ code: 'ERR_FORGOT_USERS' })
  expect(inspect(error, { depth: 9 })).not.toContain(password)
  return (error as Error).message
}

describe('an identifier', () => {
  beforeEach(() => start(false))
  afterEach(stop)

  it.each<[string, unknown, string]>([
    ['an ObjectId', new ObjectId('65f0c0ffee65f0c0ffee65f0'), '65f0c0ffee65f0c0ffee65f0'],
    ['text', 'u-17', 'u-17'],
    ['text like an ObjectId', '65f0c0ffee65f0c0ffee65f0', '65f0c0ffee65f0c0ffee65f0'],
    ['text like a number', '0017', '0017'],
    ['a number', 17, '17'],
    ['a number with a fraction', -1.5, '-1.5'],
    ['a number beyond 2^53', Long.fromString('9007199254740993'), '9007199254740993'],
    [
      'a UUID',
      new UUID('0e6b1b2c-1a0f-4c62-9d3a-2f1f5d1f7a10'),
      '0e6b1b2c-1a0f-4c62-9d3a-2f1f5d1f7a10',
    ],
  ])('that is %s is text here and finds the account again', async (_, _id, text) => {
    add({ _id })
    for (const who of [_id, _id, 'somebody else']) signIn(who)
    const user = await (await open()).findByEmail('alice@site.example')
    expect(user?.id).toBe(text)
    expect(await users?.findById(text)).toEqual(user)
    expect(user && (await users?.setPassword(user, 'new'))).toBe(true)
    expect(double.documents('members')[0]?.['pw']).toBe('new')
    expect(double.documents('logins').map(({ who }) => who)).toEqual(['somebody else'])
  })

  it('that two accounts have in different types finds neither', async () => {
    add({ _id: 17 })
    add({ _id: '17', mail: 'bob@site.example' })
    expect(await (await open()).findById('17')).toBeNull()
  })

  it('may stand in another field than _id, and in one within another', async () => {
    add({ profile: { no: 7, name: 'Alice' } })
    signIn(7)
    const user = await (await open({ id: 'profile.no', name: 'profile.name' })).findById('7')
    expect(user).toMatchObject({ id: '7', name: 'Alice' })
    expect(user && (await users?.setPassword(user, 'new'))).toBe(true)
    expect(double.documents('logins')).toEqual([])
  })

  it.each(['', ' 17', '17.0', '0x11', '1e1', 'NaN', 'Infinity', '65F0C0FFEE65F0C0FFEE65F0', '{}'])(
    'in another spelling is another: %j',
    async (id) => {
      add({ _id: 17 })
      add({ _id: 10 })
      add({ _id: new ObjectId('65f0c0ffee65f0c0ffee65f0') })
      expect(await (await open()).findById(id)).toBeNull()
    },
  )
})

describe('what somebody has typed', () => {
  beforeEach(() => start(false))
  afterEach(stop)

  it.each([
    '{"$gt":""}',
    '{ $ne: null }',
    '$mail',
    '$$ROOT',
    '$mail@site.example',
    'alice@site.example\0',
    '.*@site.example',
    "' || true || '",
  ])('is text and no operator, field or pattern: %j', async (typed) => {
    add()
    await open()
    expect(await users?.findByEmail(typed)).toBeNull()
    expect(await users?.findById(typed)).toBeNull()
    await users?.endSessions(typed)
    const forms = double.sent('delete').at(-1)?.['deletes'][0].q.who
    expect(forms).toEqual({ $in: [typed] })
  })

  it('finds the account that is really called so', async () => {
    const id = add({ mail: '$Mail@site.example' })
    expect((await (await open()).findByEmail('$mail@site.example'))?.id).toBe(id)
  })

  it('finds nobody whose address is one of a list, or no text', async () => {
    add({ mail: 'bob@site.example' })
    add({ mail: { address: 'carol@site.example' } })
    expect(await (await open()).findByEmail('carol@site.example')).toBeNull()
    add({ mail: ['alice@site.example', 'eve@site.example'] })
    const words = await wordsOf((users as MongoUsers).findByEmail('alice@site.example'))
    expect(words).toBe('users.email: field "mail" in members must hold one address as text')
  })

  it('is mailed to nobody where a password is no text', async () => {
    add({ mail: 'bob@site.example' })
    const id = add({ pw: { hash: 'x', salt: 'y' } })
    const words = await wordsOf((await open()).findById(id))
    expect(words).toBe('users.password: field "pw" in members must hold a hash as text')
  })
})

describe('a connection that is lost', () => {
  afterEach(stop)

  /** Has one command fail, once. */
  const breakOnce = (name: string, fault: 'hang-up' | 'lost') => {
    let isBroken = false
    double.fault = (each) => {
      if (each !== name || isBroken) return null
      isBroken = true
      return fault
    }
  }
  const ready = async (isReplicaSet: boolean) => {
    await start(isReplicaSet)
    const id = add()
    signIn(new ObjectId(id))
    const user = await (await open()).findById(id)
    if (user === null || users === null) throw new Error('There is no such account')
    return { user, accounts: users }
  }
  const look = () => ({
    hash: double.documents('members')[0]?.['pw'],
    sessions: double.documents('logins').length,
  })

  it.each(['hang-up', 'lost'] as const)(
    'while somebody is looked up is made anew: %s',
    async (how) => {
      const { accounts, user } = await ready(false)
      breakOnce('find', how)
      expect(await accounts.findByEmail(user.email)).toEqual(user)
    },
  )

  it.each([
    ['update', 'hang-up'],
    ['update', 'lost'],
    ['delete', 'hang-up'],
    ['delete', 'lost'],
    ['commitTransaction', 'hang-up'],
    ['commitTransaction', 'lost'],
  ] as const)(
    'in a transaction, with %s %s, is made anew and does all of it once',
    async (name, how) => {
      const { accounts, user } = await ready(true)
      breakOnce(name, how)
      expect(await accounts.setPassword(user, 'new')).toBe(true)
      expect(look()).toEqual({ hash: 'new', sessions: 0 })
    },
  )

  it('in a transaction for good leaves both as they were', async () => {
    const { accounts, user } = await ready(true)
    double.fault = (name) =>
      name === 'delete' ? { code: 8000, errmsg: 'alice@site.example is locked' } : null
    expect(await wordsOf(accounts.setPassword(user, 'new'))).toMatch(/^users\.url: .* has failed$/)
    expect(look()).toEqual({ hash: 'old', sessions: 1 })
  })

  it('without transactions ends sessions at most, and never writes a password that they outlive', async () => {
    const { accounts, user } = await ready(false)
    breakOnce('update', 'hang-up')
    await wordsOf(accounts.setPassword(user, 'new'))
    expect(look()).toEqual({ hash: 'old', sessions: 0 })
    expect(await accounts.setPassword(user, 'new')).toBe(true)
    expect(look()).toEqual({ hash: 'new', sessions: 0 })
  })

  it('without transactions ends also a session that began while the password was written', async () => {
    const { accounts, user } = await ready(false)
    double.fault = (name) => {
      if (name === 'update') signIn(new ObjectId(user.id))
      return null
    }
    expect(await accounts.setPassword(user, 'new')).toBe(true)
    expect(look()).toEqual({ hash: 'new', sessions: 0 })
  })
})

describe('at the start', () => {
  beforeEach(() => start(false))
  afterEach(stop)

  const refusal = (over: Partial<UserCollection> = {}) => wordsOf(MongoUsers.open(mapped(over)))
  const mapped = (over: Partial<UserCollection>) => ({
    url: `mongodb://site:${password}@${double.host}/site`,
    ...mapping,
    ...over,
  })

  it('a wrong password is told with the remedy, and is not repeated', async () => {
    double.refusesAll = true
    const words = await refusal()
    expect(words).toBe(
      `users.url: mongodb://${double.host}/site cannot be opened: Authentication failed.; check the user, the password and authSource in its URL`,
    )
  })

  it('a server that is away is told with the remedy', async () => {
    const url = `mongodb://site:${password}@127.0.0.1:${await closedPort()}/site?serverSelectionTimeoutMS=100`
    const words = await refusal({ url })
    expect(words).toMatch(/site cannot be opened: connect ECONNREFUSED .*; check the host/)
    expect(words).not.toContain('serverSelection')
  })

  it.each(['nonsense=1', 'w=x&authMechanism=none', 'tls=perhaps'])(
    'options that the driver does not take are refused without a word of the URL: %s',
    async (options) => {
      const words = await refusal({ url: `mongodb://site:${password}@127.0.0.1/site?${options}` })
      expect(words).toContain('mongodb://127.0.0.1/site is no URL that the driver takes')
    },
  )
})

describe('a mapping', () => {
  beforeEach(() => start(false))
  afterEach(stop)

  it('fits where the collections are empty', async () => {
    expect(await (await open()).findByEmail('alice@site.example')).toBeNull()
  })

  it.each<[Partial<UserCollection>, RegExp]>([
    [
      { table: 'member' },
      /^users\.table: there is no collection "member" in mongodb:.*; it has members, logins \(did you mean "members"\?\)$/,
    ],
    [{ sessions: { table: 'sessions', user: 'who' } }, /^users\.sessions\.table: there is no coll/],
    [{ sessions: { table: 'logins', user: 'whom' } }, /^users\.sessions\.user: .*mean "who"/],
    [
      { email: 'email' },
      /^users\.email: no document in members has field "email" .* _id, mail, pw/,
    ],
    [{ password: 'hash' }, /^users\.password: no document in members has field "hash"/],
    [{ id: 'no' }, /^users\.id: no document in members has field "no"/],
  ])('that does not fit is refused by its key: %j', async (over, message) => {
    add()
    signIn('x')
    expect(await wordsOf(open(over))).toMatch(message)
  })

  it('whose collections may only be read is refused', async () => {
    double.fault = (name) =>
      name === 'update' ? { code: 13, errmsg: 'not authorized on site to execute command' } : null
    expect(await wordsOf(open())).toMatch(/cannot be used: not authorized .*; grant its user/)
  })

  it('leaves documents alone that do not hold what `where` wants', async () => {
    const id = add({ status: 'new' })
    const other = add({ mail: 'bob@site.example', state: { blocked: true } })
    await open()
    for (const each of [id, other]) expect(await users?.findById(each)).toBeNull()
    await users?.close()
    expect(await (await open({ where: null })).findById(id)).toMatchObject({ id })
  })
})
