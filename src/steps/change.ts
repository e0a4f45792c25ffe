import { field, has } from '../action.ts'
import { foldAscii } from '../address.ts'
import { describeError } from '../log.ts'
import { normalizePassword } from '../password/passwords.ts'
import { rowId } from '../proof/secret.ts'
import type { Services } from '../services.ts'
import type { Notice } from '../store/store.ts'
import type { User } from '../user.ts'
import { type Flow, isFormToken, newFlow } from './flow.ts'
import { accountOfToken, type Live, liveAccount, provenAccount, provenFlow } from './guard.ts'
import { type ErrorPage, failure, type Outcome, type Problem } from './outcome.ts'
import { accountOfCode } from './verify.ts'
import type { Visit } from './visit.ts'

// Should the process die between spending the proof and writing the password, the courier looks this
// much later which of the two happened, and tells the person if it was both.
const confirmationMs = 30_000
// The news of a changed password is still news tomorrow.
const noticeLifetimeMs = 24 * 3_600_000

/** What allows a change: a token or a code that comes along, else what was shown in this browser before. */
interface Proof extends Live {
  readonly flow: Flow
  /** The token that came along; `''` where there was none. */
  readonly token: string
  /** Whether the secret itself came along, which nobody else could have sent for the visitor. */
  readonly isFresh: boolean
}

/** `POST B password`: the one request that spends a proof, and only once the password is acceptable. */
export async function changePassword(visit: Visit, services: Services): Promise<Outcome> {
  const proof = await readProof(visit, services)
  if ('page' in proof) return proof
  const { flow, user, token, isFresh } = proof
  const page = { page: 'reset', flow, account: user.email, token } as const
  if (!isFresh && !isFormToken(services.keys, flow, field(visit.request, 'csrf'))) {
    return { ...page, status: 403, problems: [{ field: null, reason: 'page-outdated' }] }
  }
  const password = normalizePassword(field(visit.request, 'password'))
  const problem = await findProblem(password, user, visit, services)
  if (problem !== null) return { ...page, problems: [problem] }
  const refusal = await write(proof, await services.passwords.hash(password), services)
  if (refusal !== null) return refusal
  // All that is left of the flow is its language.
  const end = newFlow(services, { email: '', locale: visit.locale.tag })
  const changedAt = services.clock.now()
  const facts = { email: user.email, name: user.name ?? '', token: '', changedAt }
  return { page: 'redirect', step: 'done', flow: end, facts, about: proof.reset }
}

/** `GET B?step=done`. */
export function showDone(): Outcome {
  return { page: 'done' }
}

async function readProof(visit: Visit, services: Services): Promise<Proof | Outcome> {
  const token = field(visit.request, 'token')
  if (token === '' && has(visit.request, 'code')) {
    const live = await accountOfCode(visit, services)
    if ('page' in live) return live
    // Should the password be refused, the form that is shown needs no second code.
    const flow = provenFlow(live, visit.locale.tag, services)
    return { ...live, flow, token, isFresh: true }
  }
  if (token === '') {
    const proven = await provenAccount(visit, services)
    return 'page' in proven ? proven : { ...proven, token, isFresh: false }
  }
  const live = await accountOfToken(token, visit, services)
  if ('page' in live) return live
  const flow = newFlow(services, { email: live.user.email, locale: visit.locale.tag })
  return { ...live, flow, token, isFresh: true }
}

async function findProblem(
  password: string,
  user: User,
  { request }: Visit,
  { config, passwords, users }: Services,
): Promise<Problem | null> {
  const context = { email: user.email, siteName: config.site.name }
  const problem = await passwords.check(password, context)
  if (problem !== null) return { field: 'password', ...problem }
  if (await users.hasUsed?.(user, password)) return { field: 'password', reason: 'password-used' }
  if (!config.password.confirm || normalizePassword(field(request, 'confirm')) === password) {
    return null
  }
  return { field: 'confirm', reason: 'password-mismatch' }
}

/**
 * Spends, then writes; `null` when both are done. Whatever happens in between, no password is written
 * without a spent proof, and a proof that is given back can do no harm: if the password was written after
 * all, the account has changed, and with it every mark made before.
 */
async function write(
  { reset, user }: Live,
  hash: string,
  services: Services,
): Promise<ErrorPage | null> {
  const { clock, log, resets, wake } = services
  const notices = services.config.mail.notifyChanged ? [notice(user, reset.locale, services)] : []
  if (!(await resets.spend(reset.id, clock.now(), notices))) {
    const now = await liveAccount(await resets.find(reset.id), services)
    return 'page' in now ? now : failure('link-used')
  }
  if (!(await setPassword({ reset, user }, hash, services))) return failure('link-invalid')
  await resets.confirm(reset.id, clock.now())
  wake()
  log.info({ reset: reset.id }, 'password changed')
  return null
}

/** Writes the password; whenever that fails, the proof is given back. */
async function setPassword(
  { reset, user }: Live,
  hash: string,
  { clock, log, resets, users }: Services,
): Promise<boolean> {
  const giveBack = () =>
    resets.release(reset.id, clock.now()).catch((error: unknown) => {
      log.error({ reset: reset.id, error: describeError(error) }, 'a proof cannot be given back')
    })
  try {
    const isWritten = await users.setPassword(user, hash)
    if (!isWritten) await giveBack()
    return isWritten
  } catch (error) {
    await giveBack()
    throw error
  }
}

function notice(user: User, locale: string, { clock, keys }: Services): Notice {
  const now = clock.now()
  return {
    id: rowId(now),
    subjectKey: keys.mac('subject', foldAscii(user.email)),
    locale,
    sealedAddress: keys.seal('recipient', user.email),
    dueAt: now + confirmationMs,
    expiresAt: now + noticeLifetimeMs,
  }
}
