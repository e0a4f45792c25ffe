// What one recovery costs, and how many there can be: one and two processes, on SQLite and on PostgreSQL (and on
// MySQL, where TEST_MYSQL_URL names one). docs/scale.md has the figures.
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { MysqlServer } from '../../test/support/mysql.ts'
import { PostgresServer } from '../../test/support/postgres.ts'
import { drive, expectStatus, wire } from '../driver.ts'
import { BenchRelay } from '../relay.ts'
import { BenchSite, emailOf, route } from '../site.ts'

const connections = 32
const forms = 20_000
const people = 3000
const costed = 500

/** Stands between a server and its database and counts what goes back and forth. */
class Counter {
  trips = 0
  bytes = 0
  port = 0
  #server = createServer()

  async start(target: number): Promise<void> {
    this.#server.on('connection', (near) => {
      const far = connect(target, '127.0.0.1')
      near.setNoDelay().on('data', (data) => {
        this.trips += 1
        this.bytes += data.length
        far.write(data)
      })
      far.setNoDelay().on('data', (data) => {
        this.bytes += data.length
        near.write(data)
      })
      for (const [one, other] of [[near, far] as const, [far, near] as const]) {
        one.on('error', () => {}).on('close', () => other.destroy())
      }
    })
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
  }

  stop(): void {
    this.#server.close()
  }
}

interface Setup {
  readonly site: BenchSite
  readonly relay: BenchRelay
}

async function open(accounts: number, config: Record<string, object>): Promise<Setup> {
  const relay = new BenchRelay(0)
  await relay.start()
  const site = await BenchSite.start(accounts, {
    password: { cost: 4, minLength: 8, blockCommon: false, strength: 0 },
    smtp: { host: '127.0.0.1', port: relay.port, pool: 8 },
    ...config,
  })
  return { site, relay }
}

/** Asks, opens and changes for each of so many people. */
async function recover({ site, relay }: Setup, first: number, count: number): Promise<void> {
  const before = relay.mails.length
  for (let index = first; index < first + count; index += 1) {
    await site.send('POST', route, { email: emailOf(index) })
  }
  await relay.taken(before + count)
  for (const { link } of relay.mails.slice(before)) {
    const token = new URL(link).searchParams.get('token') ?? ''
    await site.send('GET', `${route}?token=${token}`)
    await site.send('POST', route, { token, password: 'a new password of some length' })
  }
}

async function costs(database: PostgresServer): Promise<void> {
  const counter = new Counter()
  await counter.start(database.port)
  const url = new URL(await database.makeDatabase('costs'))
  url.port = String(counter.port)
  const setup = await open(3 * costed, { store: { url: url.href } })
  const figures = () => ({
    at: performance.now(),
    trips: counter.trips,
    bytes: counter.bytes,
    cpu: setup.site.process.cpuSeconds * 1000,
  })
  await recover(setup, 0, costed)
  // What an idle server does in the meantime is no part of it.
  const resting = figures()
  await sleep(4000)
  const begun = figures()
  await recover(setup, costed, costed)
  const ended = figures()
  const each = (key: 'trips' | 'bytes' | 'cpu') => {
    const idlePerMs = (begun[key] - resting[key]) / (begun.at - resting.at)
    return (ended[key] - begun[key] - idlePerMs * (ended.at - begun.at)) / costed
  }
  const sizes = await database.query<{ name: string; bytes: number }>(
    'select relname as name, pg_total_relation_size(relid)::int as bytes from pg_stat_user_tables',
    [],
    'costs',
  )
  const stored = (...names: readonly string[]) => {
    const bytes = sizes.filter(({ name }) => names.includes(name)).map((table) => table.bytes)
    return Math.round(bytes.reduce((sum, each) => sum + each, 0) / (2 * costed))
  }
  console.log(
    `one recovery on PostgreSQL: ${each('trips').toFixed(1)} round trips, ${Math.round(each('bytes'))} bytes, ${each('cpu').toFixed(1)} ms of a core beside the hash`,
  )
  console.log(
    `stored with their indexes: ${stored('password_reset', 'mail_job')} bytes for a day, ${stored('audit_event')} for 180`,
  )
  await setup.site.stop()
  await setup.relay.kill()
  counter.stop()
}

async function throughput(
  name: string,
  processes: number,
  store: Record<string, object>,
): Promise<void> {
  const setup = await open(people, { ...store, server: { processes } })
  const { site, relay } = setup
  const { port } = site
  const times = (count: number, request: (index: number) => string) => {
    let made = 0
    return () => {
      made += 1
      return made > count ? null : request(made - 1)
    }
  }
  await drive(port, { connections, next: times(2000, () => wire('GET', route)) })
  const form = await drive(port, { connections, next: times(forms, () => wire('GET', route)) })
  expectStatus(form, 200)
  const asked = performance.now()
  const request = (index: number) => wire('POST', route, { email: emailOf(index) })
  const ask = await drive(port, { connections, next: times(people, request) })
  expectStatus(ask, 303)
  await relay.taken(people)
  const mails = (people * 1000) / (performance.now() - asked)
  const paths = relay.mails.map(({ link }) => link.replace(site.url, ''))
  const link = (index: number) => wire('GET', paths[index] ?? '')
  const opened = await drive(port, { connections, next: times(people, link) })
  expectStatus(opened, 303)
  const figures = [form.perSecond, ask.perSecond, mails, opened.perSecond].map((each) =>
    Math.round(each).toLocaleString('en').padStart(9),
  )
  console.log(`${name.padEnd(12)}${String(processes).padStart(9)}${figures.join('')}`)
  await site.stop()
  await relay.kill()
}

const database = await PostgresServer.start()
// As an owner would have it: what was answered has reached the disk.
await database.query('alter system set fsync = on')
await database.query('select pg_reload_conf()')
await costs(database)
console.log(`\n${'store'.padEnd(12)}processes   form/s    ask/s  mails/s   open/s`)
for (const processes of [1, 2]) await throughput('SQLite', processes, {})
for (const processes of [1, 2]) {
  const url = await database.makeDatabase(`scale${processes}`)
  await throughput('PostgreSQL', processes, { store: { url } })
}
if (process.env['TEST_MYSQL_URL']) {
  for (const processes of [1, 2]) {
    const url = await new MysqlServer().makeDatabase(`scale${processes}`)
    await throughput('MySQL', processes, { store: { url } })
  }
}
await database.stop()
