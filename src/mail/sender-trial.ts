import type { SMTPConnectionOptions } from 'nodemailer'
import type SMTPConnection from 'nodemailer/lib/smtp-connection'

const method = 'SENDER'

/**
 * What a connection is opened with for {@link offerSender}. nodemailer has no command of its own for that, but lets a
 * way of signing in that is brought along say whatever it likes.
 */
export const senderTrial: Pick<SMTPConnectionOptions, 'customAuth'> = {
  customAuth: {
    [method]: async ({ auth, sendCommand }) => {
      const { status, response } = await sendCommand(`MAIL FROM:<${auth.credentials.user}>`)
      if (status < 300) await sendCommand('RSET')
      else throw new Error(`the sender was not taken: ${response}`)
    },
  },
}

/**
 * Offers a sender to a server, and takes it back: MAIL FROM and RSET (RFC 5321 §4.1.1.2, §4.1.1.5). No mail is sent.
 *
 * @param connection One that was opened with {@link senderTrial}, and is signed in where that is asked for.
 */
export function offerSender(connection: SMTPConnection, sender: string): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.login({ method, user: sender, pass: '' }, (error) => {
      // To nodemailer it looks like a sign-in that was refused.
      if (error) reject(Object.assign(error, { code: 'EENVELOPE', command: 'MAIL FROM' }))
      else resolve()
    })
  })
}
