import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A mail that was taken, and when. */
export interface TakenMail {
  readonly recipient: string
  readonly link: string
  readonly at: number
}

/** A mail server that can be slow, and be torn down in the middle of whatever it is doing. */
export class BenchRelay {
  readonly mails: TakenMail[] = []
  readonly #mailMs: number
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  port = 0

  /** @param mailMs How long it takes for each mail; `Infinity`: it never says that it has taken one. */
  constructor(mailMs: number) {
    this.#mailMs = mailMs
  }

  async start(): Promise<void> {
    const server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => this.#sockets.delete(socket))
      this.#talk(socket)
    })
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve))
    this.port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** Resets every connection: what was being said is lost. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve))
    for (const socket of this.#sockets) socket.resetAndDestroy()
    await closed
  }

  /** Resolves when so many mails have been taken. */
  async taken(count: number): Promise<void> {
    while (this.mails.length < count) await sleep(5)
  }

  #talk(socket: Socket): void {
    let input = ''
    let recipient = ''
    let isData = false
    const read = () => {
      const end = isData ? '\r\n.\r\n' : '\r\n'
      for (let at = input.indexOf(end); at >= 0 && !isData; at = input.indexOf(end)) {
        const line = input.slice(0, at)
        input = input.slice(at + end.length)
        recipient = /^RCPT TO:<(.+)>/i.exec(line)?.[1] ?? recipient
        isData = line === 'DATA'
        socket.write(
          isData ? '354 go on\r\n' : line.startsWith('QUIT') ? '221 bye\r\n' : '250 ok\r\n',
        )
      }
      const at = isData ? input.indexOf('\r\n.\r\n') : -1
      if (at < 0) return
      const text = input.slice(0, at)
      input = input.slice(at + 5)
      isData = false
      void this.#take(socket, recipient, text)
    }
    socket.write('220 ready\r\n')
    socket.on('data', (data) => {
      input += data.toString('latin1')
      read()
    })
  }

  async #take(socket: Socket, recipient: string, text: string): Promise<void> {
    if (this.#mailMs === Number.POSITIVE_INFINITY) return
    if (this.#mailMs > 0) await sleep(this.#mailMs)
    const body = text.replaceAll('=\r\n', '').replaceAll('=3D', '=')
    const link = /https?:\/\/\S+\?token=[\w-]+/.exec(body)?.[0] ?? ''
    this.mails.push({ recipient, link, at: Date.now() })
    socket.write('250 taken\r\n')
  }
}
