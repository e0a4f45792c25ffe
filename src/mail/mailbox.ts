import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config, Smtp } from '../config/config.ts'
import { toMail } from './envelope.ts'
import { type Mailer, MailFailure, type Message } from './mailer.ts'

/** Keeps mails as files instead of sending them: for a first look, and for development. */
export class Mailbox implements Mailer {
  readonly #smtp: Smtp
  /** The folder of the `.eml` files. */
  readonly folder: string

  constructor({ smtp, dataDir }: Pick<Config, 'smtp' | 'dataDir'>) {
    this.#smtp = smtp
    this.folder = join(dataDir, 'mailbox')
  }

  isReady(): boolean {
    return true
  }

  async send(message: Message): Promise<void> {
    const { raw } = toMail(message, this.#smtp)
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 })
      const name = `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${message.id}.eml`
      // Whoever watches the folder sees whole mails only.
      await writeFile(join(this.folder, `${name}.part`), raw, { mode: 0o600 })
      await rename(join(this.folder, `${name}.part`), join(this.folder, name))
    } catch (cause) {
      const message = `The mailbox ${this.folder} cannot be written`
      throw new MailFailure('unreachable', message, cause)
    }
  }

  async check(): Promise<void> {}

  async close(): Promise<void> {}

  /** The names of the mails, the newest first. */
  async list(): Promise<string[]> {
    const files = await readdir(this.folder).catch(() => [])
    return files
      .filter((file) => file.endsWith('.eml'))
      .sort()
      .reverse()
  }

  /** The source of one mail, or `null`. */
  async read(name: string): Promise<string | null> {
    if (!/^[\w-]+\.eml$/.test(name)) return null
    return readFile(join(this.folder, name), 'utf8').catch(() => null)
  }
}
