// Whether four processes on one PostgreSQL are one site: a mail for each account and cooldown, a winner for each
// link, tries counted exactly, and nothing lost while connections break and the database restarts.
import { setTimeout as sleep } from 'node:timers/promises'
import { PostgresServer } from '../../test/support/postgres.ts'
import { BenchRelay } from '../relay.ts'
import { BenchSite, emailOf, route } from '../site.ts'

const processes = 4
const [limited, asked, guessed, troubled] = [50, 2000, 10, 500]
const uses = 64
const guesses = 100
const mostTries = 5

const database = await PostgresServer.start()
const relay = new BenchRelay(2)
await relay.start()
const site = await BenchSite.start(limited + guessed + troubled, {
  store: { url: await database.makeDatabase('site') },
  recovery: { methods: ['link', 'code'] },
  password: { cost: 4, minLength: 8, blockCommon: false, strength: 0 },
  limits: { perAccount: '1/60s', perClient: 'off', badProofs: 'off', wrongCodes: 'off' },
  smtp: { host: '127.0.0.1', port: relay.port, timeout: '2s' },
})
const servers = [site.url]
while (servers.length < processes) servers.push(await site.runAnother())
const serverOf = (index: number) => servers[index % processes] ?? site.url
const rows = <Row>(text: string) => database.query<Row>(text, [], 'site')

let isWhole = true
function tell(promise: string, isKept: boolean, figures: string): void {
  isWhole &&= isKept
  console.log(`${isKept ? 'kept  ' : 'BROKEN'}  ${promise}: ${figures}`)
}

/** Does something for each of so many, at most 64 at a time. */
async function forEach(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const atOnce = Array.from({ length: 64 }, async () => {
    while (next < count) {
      next += 1
      await work(next - 1)
    }
  })
  await Promise.all(atOnce)
}

async function nothingOwed(): Promise<void> {
  const owed = "select 1 from mail_job where state in ('queued', 'sending')"
  while ((await rows(owed)).length > 0) await sleep(50)
}

async function json(index: number, body: object): Promise<{ status: number; reference: string }> {
  const answer = await fetch(`${serverOf(index)}${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(body),
  })
  const { data } = (await answer.json()) as { data?: { reference?: string } }
  return { status: answer.status, reference: data?.reference ?? '' }
}

async function oneMailEach(): Promise<void> {
  const started = performance.now()
  const statuses = new Map<number, number>()
  await forEach(asked, async (index) => {
    const email = emailOf(index % limited)
    const status = await site.send('POST', route, { email }, serverOf(index))
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  })
  const seconds = (performance.now() - started) / 1000
  await nothingOwed()
  const people = new Set(relay.mails.map(({ recipient }) => recipient)).size
  const isKept = relay.mails.length === limited && people === limited
  const figures = `${asked} requests in ${seconds.toFixed(1)} s, ${JSON.stringify(Object.fromEntries(statuses))}, ${relay.mails.length} mails to ${people} accounts`
  tell('one mail for each account and cooldown', isKept, figures)
}

async function oneWinner(): Promise<void> {
  const wins: number[] = []
  for (const { link } of relay.mails.slice(0, 10)) {
    const token = new URL(link).searchParams.get('token') ?? ''
    const answers = await Promise.all(
      Array.from({ length: uses }, (_, index) =>
        json(index, { token, password: `the password of ${index}` }),
      ),
    )
    wins.push(answers.filter(({ status }) => status === 200).length)
  }
  const isKept = wins.every((count) => count === 1)
  tell(`one winner of ${uses} simultaneous uses`, isKept, `${wins.join(' ')} for ten links`)
}

async function exactTries(): Promise<void> {
  const counted: number[] = []
  for (let index = limited; index < limited + guessed; index += 1) {
    const { reference } = await json(index, { email: emailOf(index) })
    await Promise.all(
      Array.from({ length: guesses }, (_, guess) =>
        json(guess, { reference, code: String(100_000 + guess) }),
      ),
    )
    const short = reference.replace('-', '')
    const [row] = await rows<{ tries: number }>(
      `select tries from password_reset where reference = '${short}'`,
    )
    counted.push(row?.tries ?? -1)
  }
  const isKept = counted.every((tries) => tries === mostTries)
  tell(
    `${mostTries} of ${guesses} simultaneous tries`,
    isKept,
    `${counted.join(' ')} for ten codes`,
  )
}

async function nothingLost(): Promise<void> {
  await nothingOwed()
  const before = relay.mails.length
  let broken = 0
  const kill = `select pg_terminate_backend(pid) from pg_stat_activity where datname = 'site'`
  const trouble = setInterval(() => {
    database.query(kill).then(
      (killed) => {
        broken += killed.length
      },
      () => {},
    )
  }, 250)
  const restart = sleep(1500).then(async () => {
    await database.halt()
    await database.run()
  })
  let again = 0
  await forEach(troubled, async (index) => {
    const email = emailOf(limited + guessed + index)
    while ((await site.send('POST', route, { email }, serverOf(index)).catch(() => 0)) !== 303) {
      again += 1
      await sleep(100)
    }
    // Spread over the time in which things break.
    await sleep(300)
  })
  await restart
  clearInterval(trouble)
  await nothingOwed()
  const mails = Map.groupBy(relay.mails.slice(before), ({ recipient }) => recipient)
  const differing = [...mails.values()].filter((all) => new Set(all.map((m) => m.link)).size > 1)
  let working = 0
  for (const [index, [mail]] of [...mails.values()].entries()) {
    const path = mail?.link.replace(site.url, '') ?? ''
    if ((await site.send('GET', path, null, serverOf(index))) === 303) working += 1
  }
  const twice = [...mails.values()].filter((all) => all.length > 1).length
  const figures = `${broken} connections broken, PostgreSQL restarted, ${again} requests told to come back; ${working} working links for ${troubled} people, ${twice} mailed twice`
  tell('nothing is lost', working === troubled && differing.length === 0, figures)
}

await oneMailEach()
await oneWinner()
await exactTries()
await nothingLost()
await site.stop()
await relay.kill()
await database.stop()
process.exitCode = isWhole ? 0 : 1
