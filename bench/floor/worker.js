import { argon2Sync, randomBytes } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { hashSync } from 'bcryptjs'

const argon2id = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 }

parentPort?.on('message', ({ kind, cost, password }) => {
  const hash =
    kind === 'bcrypt'
      ? hashSync(password, cost)
      : argon2Sync('argon2id', { ...argon2id, message: password, nonce: randomBytes(16) })
  parentPort?.postMessage(String(hash))
})
