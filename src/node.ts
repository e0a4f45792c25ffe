import { ForgotError } from './errors.ts'

/** What `engines` in package.json says: on an older one the SQLite driver ends the process without a word. */
const least = [22, 14] as const

/** @throws {ForgotError} `ERR_FORGOT_NODE` when this Node is older than the module can run on. */
export function checkNode(version: string = process.versions.node): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > least[0] || (major === least[0] && minor >= least[1])) return
  const message = `Node ${least.join('.')} or later is needed, and this is ${version}`
  throw new ForgotError('ERR_FORGOT_NODE', message)
}
