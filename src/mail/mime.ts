import type { SendMailOptions } from 'nodemailer'
import { encode as toBase64, wrap as wrapBase64 } from 'nodemailer/lib/base64'
import MailComposer from 'nodemailer/lib/mail-composer'
import type MimeNode from 'nodemailer/lib/mime-node'
import { encode as toQuoted, wrap as wrapQuoted } from 'nodemailer/lib/qp'

const end = '\r\n'

/**
 * A mail as it travels (RFC 5322), unsigned. nodemailer says what its headers are and how each part is encoded, as
 * for every mail; but where it would send each part through streams of its own, which takes longer than everything
 * else that a mail needs, these are only put together.
 */
export function toSource(mail: SendMailOptions): Buffer {
  return Buffer.from(partOf(new MailComposer(mail).compile()), 'latin1')
}

function partOf(node: MimeNode): string {
  const head = `${node.buildHeaders()}${end}${end}`
  if (!node.multipart) return `${head}${encode(node)}`
  const parts = node.childNodes.map((child) => `--${node.boundary}${end}${partOf(child)}${end}`)
  return `${head}${parts.join('')}--${node.boundary}--${end}`
}

/** RFC 2045 §6: what a part's header says that it is. */
function encode(node: MimeNode): string {
  const text = String(node.content).replaceAll(/\r?\n/g, end)
  const encoding = node.getTransferEncoding()
  if (encoding === 'base64') return wrapBase64(toBase64(text))
  return encoding === 'quoted-printable' ? wrapQuoted(toQuoted(text)) : text
}
