import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { parse, stringify } from 'yaml'
import { run } from '../../src/cli/run.ts'
import { blocks, environment, type Line, linesOf, read } from './documents.ts'
import { Cli } from './process.ts'
import { SmtpSink } from './smtp.ts'
import { eventually, freePort } from './wait.ts'

/** Whether it runs until it is told to stop. */
export const isLasting = ({ words: [, command] }: Line) =>
  ['serve', 'preview', 'courier'].includes(command ?? '')

const looks = /^(?:check|doctor|config|mail|preview|serve|courier)$/

/** The lines of documents; what only looks, or only runs, is there once, in the first that has it. */
export function typedIn(documents: readonly string[]): Line[] {
  const lines = documents.flatMap((document) => blocks(document, 'sh')).flatMap(linesOf)
  const isFirst = (line: Line) => lines.find(({ text }) => text === line.text) === line
  return lines.filter((line) => !looks.test(line.words[1] ?? '') || isFirst(line))
}

interface Ended {
  readonly code: number | null
  readonly said: string
}

/** A folder with a site in it, in which the lines of documents are typed. */
export class Desk {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'forgot-docs-'))
  readonly smtp: SmtpSink
  readonly #env: Record<string, string>
  #copies = 0

  private constructor(smtp: SmtpSink, port: number) {
    this.smtp = smtp
    // The names of the documents are nobody's: theirs are those of this machine.
    this.#env = {
      ...environment,
      FORGOT_SITE__URL: `http://127.0.0.1:${port}`,
      FORGOT_SERVER__PORT: String(port),
    }
  }

  /** Does something in the folder of a site; `null` for an empty one. */
  static async with(config: string | null, use: (desk: Desk) => Promise<unknown>): Promise<void> {
    const desk = await (config === null ? Desk.#empty() : Desk.#site(config))
    try {
      await use(desk)
    } finally {
      await desk.#remove()
    }
  }

  static async #empty(): Promise<Desk> {
    const smtp = await SmtpSink.start({
      onAuth: (_auth, _session, done) => done(null, { user: 'x' }),
    })
    return new Desk(smtp, await freePort())
  }

  /** With a configuration of the documents, an account, and a reset of it. */
  static async #site(config: string): Promise<Desk> {
    const desk = await Desk.#empty()
    const database = new Database(join(desk.folder, 'site.db'))
    database.exec(`
      create table members (
        member_no integer primary key, mail text, pw_hash text, active integer default 1);
      create table logins (token text primary key, member_no integer);
      insert into members (mail) values ('maria@library.example'), ('you@library.example');`)
    database.close()
    desk.configure(config.replace(/sqlite:\S+/, 'sqlite:site.db'))
    writeFileSync(join(desk.folder, 'watch.mjs'), '')
    cpSync('examples', join(desk.folder, 'examples'), { recursive: true })
    await desk.type(linesOf({ document: '', language: 'sh', text: 'forgot-password migrate' }))
    return desk
  }

  /** Lays values over the configuration that is there. */
  configure(yaml: string): void {
    const file = join(this.folder, 'config.yaml')
    const before = existsSync(file) ? parse(read(file)) : {}
    const over = parse(yaml) as Record<string, Record<string, unknown>>
    const smtp = over['smtp'] && {
      smtp: { ...before.smtp, ...over['smtp'], host: '127.0.0.1', port: this.smtp.port },
    }
    writeFileSync(file, stringify({ ...before, ...over, ...smtp }))
  }

  /** Types lines one after the other; each must end well. */
  async type(lines: readonly Line[]): Promise<void> {
    for (const line of lines) {
      if (line.words[0] === 'forgot-password') await this.#enter(line)
      else if (this.#isShells(line)) {
        execFileSync('bash', ['-ec', line.text], { cwd: this.folder, stdio: 'pipe' })
      }
    }
  }

  async #remove(): Promise<void> {
    await this.smtp.stop()
    rmSync(this.folder, { recursive: true })
  }

  /** What a shell does between commands, as far as its files are here. */
  #isShells({ words: [program = '', ...words] }: Line): boolean {
    if (program === 'node') return existsSync(join(this.folder, words.at(-1) ?? ''))
    return ['echo', 'mv', 'rm'].includes(program)
  }

  async #enter(line: Line): Promise<void> {
    const { code, said } = isLasting(line) ? await this.#runFor(line) : await this.#run(line)
    // Nobody has translated what "locales new" has begun.
    const expected = /locales check ca\b/.test(line.text) ? 1 : 0
    if (code !== expected) throw new Error(`${line.text}: ends with ${code}\n${said}`)
  }

  #here(words: readonly string[]): string[] {
    this.#copies += 1
    return words.map((word) =>
      word.startsWith('postgres:') ? `sqlite:copy-${this.#copies}.db` : word,
    )
  }

  async #run({ words, env, to }: Line): Promise<Ended> {
    const { cwd, write, errorWrite, variables } = {
      cwd: process.cwd(),
      write: process.stdout.write,
      errorWrite: process.stderr.write,
      variables: { ...process.env },
    }
    let said = ''
    const keep = (text: string | Uint8Array) => {
      said += text.toString()
      return true
    }
    try {
      process.chdir(this.folder)
      Object.assign(process.env, this.#env, env)
      process.stdout.write = keep
      process.stderr.write = keep
      const code = (await run(this.#here(words).slice(1))) ?? 0
      if (to !== null) writeFileSync(to, said)
      return { code, said }
    } finally {
      process.stdout.write = write
      process.stderr.write = errorWrite
      for (const name of Object.keys(process.env)) delete process.env[name]
      Object.assign(process.env, variables)
      process.chdir(cwd)
    }
  }

  /** Starts what runs until it is told to stop, and tells it once it answers. */
  async #runFor({ words, env }: Line): Promise<Ended> {
    const port = String(await freePort())
    const args = words.slice(1).map((word, index) => (words[index] === '--port' ? port : word))
    const own = { FORGOT_SERVER__PORT: String(await freePort()) }
    const cli = new Cli(args, { cwd: this.folder, env: { ...this.#env, ...own, ...env } })
    try {
      await eventually(() => /Listening on|Open {3}|Delivering/.test(cli.output), 20_000)
      cli.kill('SIGTERM')
      return { code: await cli.ended(), said: cli.errors }
    } finally {
      cli.kill('SIGKILL')
    }
  }

  /** Goes through a document from its beginning, as somebody who knows nothing else. */
  async follow(document: string): Promise<void> {
    for (const block of blocks(document)) {
      const { language, text } = block
      if (language === 'yaml') this.configure(text)
      if (language === 'js') writeFileSync(join(this.folder, 'accounts.mjs'), text)
      if (language !== 'sh') continue
      await this.type(linesOf(block))
    }
  }
}
