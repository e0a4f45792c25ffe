import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { TLSSocket, type TlsOptions } from 'node:tls'
import PostalMime from 'postal-mime'
import type { Received, SmtpSink } from './smtp.ts'

/** Where something can go wrong: when a client comes, at a command, in a mail, at its end. */
export type Step =
  | 'greeting'
  | 'EHLO'
  | 'STARTTLS'
  | 'AUTH'
  | 'MAIL'
  | 'RCPT'
  | 'DATA'
  | 'text'
  | 'dot'

/**
 * What happens there: another answer; none, ever; the answer, a byte at a time; the connection is reset, or
 * closed; after STARTTLS comes no TLS. At the dot a mail is taken all the same, unless the answer says that it is not.
 */
export type Fault = `${number} ${string}` | 'silence' | 'drip' | 'reset' | 'close' | 'garbage'

export interface Line {
  /** `mail`: the client, between DATA and the dot. */
  readonly from: 'client' | 'mail' | 'server'
  readonly text: string
  readonly isEncrypted: boolean
}

/** A mail as it was given, taken or not. */
export interface Given extends Received {
  /** The commands of its envelope. */
  readonly sender: string
  readonly rcptTo: readonly string[]
  /** What stood between DATA and the dot, and the same without the dots that were added for the way. */
  readonly wire: Buffer
  readonly bytes: Buffer
}

/** A mail server that keeps all it hears, and fails as it is told to. */
export class Relay {
  /** Every mail that came as far as its dot, and those of them that it took. */
  readonly given: Given[] = []
  readonly taken: Given[] = []
  readonly sessions: Session[] = []
  /** What it offers beside TLS and a sign-in. */
  extensions: readonly string[] = ['PIPELINING', '8BITMIME', 'SMTPUTF8']
  /** Its key and certificate; `null`: it offers no TLS. */
  tls: TlsOptions | null = null
  /** Whether it begins with TLS. */
  isTlsFirst = false
  /** Whether it sends a recipient away the first time. */
  isGreylisting = false
  /** How long it works on a mail, and on a byte when it drips. */
  mailMs = 0
  byteMs = 50
  /** The most mails it was ever being given at a time. */
  mostAtOnce = 0
  readonly #strangers = new Set<string>()
  #faults: { readonly step: Step; readonly fault: Fault; times: number }[] = []
  #sink: SmtpSink | null = null
  #server: Server | null = null
  #port = 0

  static async start(): Promise<Relay> {
    const relay = new Relay()
    await relay.listen()
    return relay
  }

  get port(): number {
    return this.#port
  }

  /** Listens, again where it did before. */
  async listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) =>
      this.sessions.push(new Session(this, socket)),
    )
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** Breaks all connections and refuses new ones. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = null
    for (const session of this.sessions) session.break()
    if (server !== null) await new Promise((resolve) => server.close(resolve))
  }

  /** Fails at a step so many times; default: until {@link heal}. */
  fail(step: Step, fault: Fault, times: number = Number.POSITIVE_INFINITY): void {
    this.#faults.push({ step, fault, times })
  }

  /** Listens, and fails no more. */
  async heal(): Promise<void> {
    this.#faults = []
    this.isGreylisting = false
    if (this.#server === null) await this.listen()
  }

  /** Ends all connections, and knows nothing of what was on them. */
  forget(): void {
    for (const session of this.sessions.splice(0)) session.break()
    for (const mails of [this.given, this.taken]) mails.length = 0
    this.#strangers.clear()
    this.mostAtOnce = 0
  }

  /** Puts what it takes where a site's own mail server would keep it. */
  deliverTo(sink: SmtpSink): void {
    this.#sink = sink
  }

  /** Whether a client waits for an answer that never comes. */
  get isSilent(): boolean {
    return this.sessions.some(({ isSilent }) => isSilent)
  }

  /** The commands of all clients. */
  get heard(): Line[] {
    return this.sessions.flatMap(({ lines }) => lines.filter(({ from }) => from === 'client'))
  }

  faultAt(step: Step): Fault | null {
    const found = this.#faults.find((each) => each.step === step && each.times > 0)
    if (found === undefined) return null
    found.times -= 1
    return found.fault
  }

  sendsAway(recipient: string): boolean {
    if (!this.isGreylisting || this.#strangers.has(recipient)) return false
    this.#strangers.add(recipient)
    return true
  }

  countUnderway(): void {
    const underway = this.sessions.filter((session) => session.isUnderway)
    this.mostAtOnce = Math.max(this.mostAtOnce, underway.length)
  }

  take(mail: Given): void {
    this.taken.push(mail)
    this.#sink?.mails.push(mail)
  }
}

class Ended extends Error {}

/** One connection to a relay. */
export class Session {
  readonly lines: Line[] = []
  /** Whether its client waits for an answer that never comes. */
  isSilent = false
  /** Whether it is being given a mail. */
  isUnderway = false
  readonly #relay: Relay
  readonly #plain: Socket
  #socket: Socket
  #unread = ''
  #wake: () => void = () => {}
  #envelope: { sender: string; rcptTo: string[] } = { sender: '', rcptTo: [] }

  constructor(relay: Relay, socket: Socket) {
    this.#relay = relay
    this.#plain = socket
    this.#socket = this.#listenTo(relay.isTlsFirst ? this.#secure() : socket)
    this.#converse().catch((error: unknown) => {
      this.isUnderway = false
      if (!(error instanceof Ended)) throw error
    })
  }

  break(): void {
    this.#plain.resetAndDestroy()
  }

  async #converse(): Promise<never> {
    await this.#say('220 relay.example ESMTP', 'greeting')
    for (;;) {
      const line = await this.#line()
      await this.#obey(line, line.toUpperCase().slice(0, 4))
    }
  }

  async #obey(line: string, verb: string): Promise<unknown> {
    if (verb === 'EHLO' || verb === 'HELO') return this.#say(this.#offers(), 'EHLO')
    if (verb === 'STAR') return this.#encrypt()
    if (verb === 'AUTH') return this.#say('235 2.7.0 welcome', 'AUTH')
    if (verb === 'MAIL') return this.#begin(line)
    if (verb === 'RCPT') return this.#address(line)
    if (verb === 'DATA') return this.#read()
    if (verb === 'RSET') return this.#forget()
    await this.#say(verb === 'QUIT' ? '221 2.0.0 bye' : '502 5.5.1 what?')
    return verb === 'QUIT' && this.#socket.end()
  }

  #offers(): string {
    const hasTls = this.#relay.tls !== null && this.#socket === this.#plain
    const offers = [...this.#relay.extensions, ...(hasTls ? ['STARTTLS'] : []), 'AUTH PLAIN']
    return ['relay.example', ...offers]
      .map((offer, index) => `250${index < offers.length ? '-' : ' '}${offer}`)
      .join('\r\n')
  }

  async #encrypt(): Promise<void> {
    const { tls } = this.#relay
    const answer = tls === null ? '502 5.5.1 there is no TLS' : '220 2.0.0 go ahead'
    const { isAgreed, fault } = await this.#say(answer, 'STARTTLS')
    if (!isAgreed || tls === null) return
    // What a client says now is no command any more.
    this.#plain.removeAllListeners('data')
    this.#unread = ''
    if (fault === 'garbage')
      this.#plain.once('data', () => this.#plain.write('250 no handshake\r\n'))
    else this.#socket = this.#listenTo(this.#secure())
  }

  #secure(): Socket {
    return new TLSSocket(this.#plain, { ...this.#relay.tls, isServer: true })
  }

  async #begin(sender: string): Promise<void> {
    this.isUnderway = true
    this.#relay.countUnderway()
    const { isAgreed } = await this.#say('250 2.1.0 ok', 'MAIL')
    this.#envelope = { sender: isAgreed ? sender : '', rcptTo: [] }
    this.isUnderway = isAgreed
  }

  async #address(recipient: string): Promise<void> {
    const { isAgreed } = this.#relay.sendsAway(recipient)
      ? await this.#say('450 4.2.0 greylisted, come back later')
      : await this.#say('250 2.1.5 ok', 'RCPT')
    if (isAgreed) this.#envelope.rcptTo.push(recipient)
  }

  async #forget(): Promise<void> {
    this.#envelope = { sender: '', rcptTo: [] }
    this.isUnderway = false
    await this.#say('250 2.0.0 ok')
  }

  async #read(): Promise<void> {
    const isToSomebody = this.#envelope.rcptTo.length > 0
    const answer = isToSomebody ? '354 go on' : '554 5.5.1 nobody to give it to'
    if (!(await this.#say(answer, 'DATA')).isAgreed) return
    const lines: string[] = []
    for (let line = await this.#line('mail'); line !== '.'; line = await this.#line('mail')) {
      lines.push(line)
      if (lines.length === 20) await this.#say('', 'text')
    }
    const mail = await this.#toMail(lines)
    this.#relay.given.push(mail)
    if (this.#relay.mailMs > 0) await sleep(this.#relay.mailMs)
    await this.#say('250 2.0.0 queued', 'dot', () => this.#relay.take(mail))
    this.isUnderway = false
  }

  async #toMail(lines: readonly string[]): Promise<Given> {
    const join = (all: readonly string[]) =>
      Buffer.from(all.map((line) => `${line}\r\n`).join(''), 'latin1')
    const bytes = join(lines.map((line) => line.replace(/^\./, '')))
    const addressIn = (command: string) => /<(.*)>/.exec(command)?.[1] ?? ''
    const { sender, rcptTo } = this.#envelope
    return {
      ...{ sender, rcptTo, envelopeFrom: addressIn(sender), recipients: rcptTo.map(addressIn) },
      ...{ wire: join(lines), bytes, raw: bytes.toString('utf8') },
      mail: await PostalMime.parse(bytes),
    }
  }

  /**
   * Gives an answer, or fails.
   *
   * @param step Where it might; default: nowhere.
   * @param accept Done before it agrees, or says nothing.
   */
  async #say(usual: string, step: Step | null = null, accept: () => void = () => {}) {
    const fault = step && this.#relay.faultAt(step)
    const answer = fault !== null && /^\d/.test(fault) ? fault : usual
    const isAgreed = !/^[45]/.test(answer)
    if (isAgreed) accept()
    if (fault === 'silence') {
      this.isSilent = true
      await new Promise((resolve) => this.#plain.once('close', resolve))
    }
    if (fault === 'reset') this.break()
    if (fault === 'close') this.#plain.destroy()
    if (this.#plain.destroyed) throw new Ended()
    if (answer !== '') await this.#write(answer, fault === 'drip' ? this.#relay.byteMs : 0)
    // RFC 5321 §3.8: whoever says 421 leaves.
    if (answer.startsWith('421')) this.#socket.end()
    return { isAgreed, fault }
  }

  async #write(answer: string, byteMs: number): Promise<void> {
    for (const text of answer.split('\r\n')) this.#note('server', text)
    for (const part of byteMs === 0 ? [`${answer}\r\n`] : `${answer}\r\n`) {
      if (this.#plain.destroyed) throw new Ended()
      this.#socket.write(part)
      if (byteMs > 0) await sleep(byteMs)
    }
  }

  #listenTo(socket: Socket): Socket {
    return socket
      .on('error', () => {})
      .on('close', () => this.#wake())
      .on('data', (data: Buffer) => {
        this.#unread += data.toString('latin1')
        this.#wake()
      })
  }

  async #line(from: Line['from'] = 'client'): Promise<string> {
    for (;;) {
      const [line, ...rest] = this.#unread.split('\r\n', 2)
      if (line !== undefined && rest.length > 0) {
        this.#unread = this.#unread.slice(line.length + 2)
        this.#note(from, line)
        return line
      }
      if (this.#socket.destroyed) throw new Ended()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #note(from: Line['from'], text: string): void {
    this.lines.push({ from, text, isEncrypted: this.#socket !== this.#plain })
  }
}
