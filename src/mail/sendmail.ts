import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { createTransport } from 'nodemailer'
import type { Smtp } from '../config/config.ts'
import { signing, toMail } from './envelope.ts'
import { type FailureKind, type Mailer, MailFailure, type Message } from './mailer.ts'

// sysexits.h. What is not listed may pass.
const kinds: Readonly<Record<number, FailureKind>> = {
  64: 'refused', // EX_USAGE
  65: 'refused', // EX_DATAERR
  67: 'refused', // EX_NOUSER
  68: 'refused', // EX_NOHOST
  75: 'later', // EX_TEMPFAIL
}

/** Hands mails to a program of this machine that takes them as sendmail does. */
export class Sendmail implements Mailer {
  readonly #smtp: Smtp
  readonly #program: string
  readonly #composer

  constructor(smtp: Smtp, program: string) {
    this.#smtp = smtp
    this.#program = program
    this.#composer = createTransport({ streamTransport: true, buffer: true, ...signing(smtp) })
  }

  isReady(): boolean {
    return true
  }

  async send(message: Message): Promise<void> {
    const mail = toMail(message, this.#smtp)
    const { message: source } = await this.#composer.sendMail(mail)
    // A program of this machine expects its line ends, and makes those of the network itself.
    const text = (source as Buffer).toString('latin1').replaceAll('\r\n', '\n')
    // -i: a line with a dot alone ends nothing. --: no address is an option.
    const args = ['-i', '-f', this.#smtp.returnPath, '--', message.to]
    const status = await this.#run(args, Buffer.from(text, 'latin1'))
    if (status !== 0) {
      const kind = (typeof status === 'number' && kinds[status]) || 'unreachable'
      throw new MailFailure(kind, `${this.#program} has ended with ${status}`)
    }
  }

  async check(): Promise<void> {
    try {
      await access(this.#program, constants.X_OK)
    } catch {
      throw new MailFailure('unreachable', `${this.#program} cannot be run`)
    }
  }

  async close(): Promise<void> {}

  /** The exit code, or the signal or error that ended it. */
  #run(args: readonly string[], input: Buffer): Promise<number | string> {
    return new Promise((resolve) => {
      const child = spawn(this.#program, args, {
        stdio: ['pipe', 'ignore', 'ignore'],
        timeout: this.#smtp.timeout * 3,
        killSignal: 'SIGKILL',
      })
      child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 'nothing'))
      // It may end without having read everything: its code tells more than the broken pipe.
      child.stdin.on('error', () => {})
      child.stdin.end(input)
    })
  }
}
