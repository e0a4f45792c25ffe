import { argon2Sync } from 'node:crypto'
import { compareSync } from 'bcryptjs'

/** Whether the site's login takes a password: it brings what is typed to NFC, and changes nothing else. */
export function takes(hash: string, typed: string): boolean {
  const password = typed.normalize('NFC')
  const [, salt, tag] = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$([^$]+)\$([^$]+)$/.exec(hash) ?? []
  if (salt === undefined || tag === undefined) return compareSync(password, hash)
  const made = argon2Sync('argon2id', {
    message: password,
    nonce: Buffer.from(salt, 'base64'),
    memory: 19_456,
    passes: 2,
    parallelism: 1,
    tagLength: 32,
  })
  return made.equals(Buffer.from(tag, 'base64'))
}
