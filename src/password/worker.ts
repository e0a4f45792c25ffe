import * as crypto from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { hashSync } from 'bcryptjs'
import { isCommon } from './common.ts'
import { isGuessable } from './guess.ts'

/** What a worker is asked for. */
export type Task =
  | { readonly kind: 'common'; readonly password: string }
  | {
      readonly kind: 'guess'
      readonly password: string
      readonly words: readonly string[]
      readonly least: number
    }
  | { readonly kind: 'bcrypt'; readonly password: string; readonly cost: number }
  | { readonly kind: 'argon2id' | 'scrypt'; readonly password: string }

export type Answer = { readonly value: string | boolean } | { readonly error: string }

// OWASP Password Storage Cheat Sheet: m = 19 MiB, t = 2, p = 1; and N = 2^17, r = 8, p = 1.
const argon2id = { memory: 19_456, passes: 2, parallelism: 1 }
const scrypt = { logN: 17, r: 8, p: 1 }
const saltBytes = 16
const tagBytes = 32

async function run(task: Task): Promise<string | boolean> {
  if (task.kind === 'common') return isCommon(task.password)
  if (task.kind === 'guess') return isGuessable(task.password, task.words, task.least)
  if (task.kind === 'bcrypt') return hashSync(task.password, task.cost)
  return task.kind === 'argon2id' ? hashArgon2id(task.password) : hashScrypt(task.password)
}

// The PHC string format, which the argon2 libraries of every language read.
function hashArgon2id(password: string): string {
  const nonce = crypto.randomBytes(saltBytes)
  const tag = crypto.argon2Sync('argon2id', {
    message: password,
    nonce,
    memory: argon2id.memory,
    passes: argon2id.passes,
    parallelism: argon2id.parallelism,
    tagLength: tagBytes,
  })
  const costs = `m=${argon2id.memory},t=${argon2id.passes},p=${argon2id.parallelism}`
  return `$argon2id$v=19$${costs}$${phc(nonce)}$${phc(tag)}`
}

function hashScrypt(password: string): string {
  const salt = crypto.randomBytes(saltBytes)
  const { logN, r, p } = scrypt
  const N = 2 ** logN
  const tag = crypto.scryptSync(password, salt, tagBytes, { N, r, p, maxmem: 130 * N * r })
  return `$scrypt$ln=${logN},r=${r},p=${p}$${phc(salt)}$${phc(tag)}`
}

function phc(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '')
}

parentPort?.on('message', (task: Task) => {
  run(task).then(
    (value) => parentPort?.postMessage({ value } satisfies Answer),
    (error: unknown) => parentPort?.postMessage({ error: String(error) } satisfies Answer),
  )
})
