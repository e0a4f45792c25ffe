import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cli } from '../support/process.ts'
import { unprivileged } from '../support/unprivileged.ts'
import { type Disk, makeReadOnlyDisk } from './disk.ts'
import { expectInvariants } from './invariants.ts'
import { Served } from './served.ts'
import { person } from './support.ts'

let disk: Disk
let served: Served
let cli: Cli
beforeAll(async () => {
  disk = makeReadOnlyDisk()
  served = await Served.prepare({}, disk)
  cli = await served.run()
})
afterAll(async () => {
  await served.stop()
  disk.remove()
})

const removeLog = () => {
  for (const ending of ['-wal', '-shm']) {
    rmSync(join(disk.folder, `store.db${ending}`), { force: true })
  }
}

it('Z14 a process whose write-ahead log is deleted serves on; killed then, it comes back: a link that was not put away is dead, and nothing is an error', async () => {
  const { site } = served
  const { link } = await person(site)
  removeLog()
  expect((await site.visitor().get(link)).status).toBe(303)
  const { link: later } = await person(site)
  expect((await site.visitor().get(later)).status).toBe(303)
  await served.kill()
  cli = await served.run()
  for (const each of [link, later]) {
    const page = await site.visitor().get(each)
    expect(['303', '404 link-invalid']).toContain(`${page.status} ${page.reason}`.trim())
  }
  await expectInvariants(site)
})

describe('a start on a store', () => {
  let whole: Buffer
  let link = ''
  beforeAll(async () => {
    link = (await person(served.site)).link
    await served.kill()
    const store = new Database(served.site.storeFile)
    store.pragma('wal_checkpoint(truncate)')
    store.close()
    whole = readFileSync(served.site.storeFile)
  })

  /** What a process says that does not start. */
  const refusal = async () => {
    const refused = served.launch()
    const end = await refused.listening().then(
      () => 'It serves',
      () => refused.ended(),
    )
    await served.kill()
    return `${end} ${refused.errors}`
  }

  it.each([
    ['its first page', null],
    ['an index', 'mail_job_reset_id'],
  ])('Z14 with damage in %s is refused, and says so', async (_, name) => {
    const store = new Database(served.site.storeFile)
    const pageBytes = Number(store.pragma('page_size', { simple: true }))
    const root = store.prepare('select rootpage from sqlite_schema where name = ?').pluck()
    const page = name === null ? 1 : Number(root.get(name))
    store.close()
    const damaged = Buffer.from(whole).fill(0xa5, (page - 1) * pageBytes, page * pageBytes)
    writeFileSync(served.site.storeFile, damaged)
    const said = await refusal().finally(() => {
      writeFileSync(served.site.storeFile, whole)
      removeLog()
    })
    expect(said).toMatch(
      /^2 store\.url: [\s\S]*; (?:restore it from a backup|name an SQLite database)\n$/,
    )
  })

  it('Z14 on a disk that has become read-only is refused, and says so', async () => {
    disk.fill(0)
    const refused = disk.isMounted ? refusal() : unprivileged(() => served.refusal())
    const said = await refused.finally(() => disk.free(0))
    const cannot = /store\.url: \S+ cannot be (?:opened|written): .*; make the file and its folder/
    expect(said).toMatch(cannot)
  })

  it('Z14 that was put right finds everything there', async () => {
    cli = await served.run()
    expect((await served.site.reset(link)).status).toBe(303)
    await expectInvariants(served.site)
  })
})

it('Z14 a process that was stopped in order has left nothing in its write-ahead log', async () => {
  const { site } = served
  const { link } = await person(site)
  cli.kill('SIGTERM')
  expect(await cli.ended()).toBe(0)
  removeLog()
  await site.listen()
  expect((await site.reset(link)).status).toBe(303)
  await expectInvariants(site)
})
