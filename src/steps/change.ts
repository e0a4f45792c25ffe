import { field, type ServerRequest } from '../action.ts'
import { foldAscii } from '../address.ts'
import { normalizePassword } from '../password/passwords.ts'
import { equal, randomId } from '../proof/secret.ts'
import type { Services } from '../services.ts'
import type { Notice } from '../store/store.ts'
import type { User } from '../user.ts'
import { type Live, liveAccount } from './account.ts'
import { chooseLocale, type Flow, formToken, newFlow, readFlow } from './flow.ts'
import { findByToken, refuseBadProof } from './open.ts'
import { failure, type Outcome, type Problem } from './outcome.ts'

// Should the process die between spending the proof and writing the password, the courier looks this
// much later which of the two happened, and tells the person if it was both.
const confirmationMs = 10_000
// The news of a changed password is still news tomorrow.
const noticeLifetimeMs = 24 * 3_600_000

/** `POST B password`: the one request that spends a proof, and only once the password is acceptable. */
export async function changePassword(request: ServerRequest, services: Services): Promise<Outcome> {
  const proof = await readProof(request, services)
  if ('page' in proof) return proof
  const { flow, live, token } = proof
  const page = { page: 'reset', flow, account: live.user.email, token } as const
  if (token === '' && !equal(field(request, 'csrf'), formToken(services, flow))) {
    return { ...page, status: 403, problems: [{ field: null, reason: 'page-outdated' }] }
  }
  const password = normalizePassword(field(request, 'password'))
  const problem = await findProblem(password, live.user, request, services)
  if (problem !== null) return { ...page, problems: [problem] }
  return write(proof, await services.passwords.hash(password), services)
}

/** `GET B?step=done`. */
export function showDone(): Outcome {
  return { page: 'done' }
}

type Proof = { readonly flow: Flow; readonly live: Live; readonly token: string }

/** A token in the form itself, else the flow that opened the link in this browser. */
async function readProof(request: ServerRequest, services: Services): Promise<Proof | Outcome> {
  const token = field(request, 'token')
  const flow = readFlow(request, services)
  if (token !== '') {
    const live = await liveAccount(await findByToken(token, services), services)
    if ('page' in live) {
      return live.reason === 'link-invalid' ? refuseBadProof(request, services) : live
    }
    const locale = chooseLocale(request, services, flow).tag
    return { flow: newFlow(services, { email: live.user.email, locale }), live, token }
  }
  if (flow === null || !flow.isProven || flow.resetId === null) return failure('page-expired')
  const live = await liveAccount(await services.resets.find(flow.resetId), services)
  return 'page' in live ? live : { flow, live, token }
}

async function findProblem(
  password: string,
  user: User,
  request: ServerRequest,
  { config, passwords }: Services,
): Promise<Problem | null> {
  const context = { email: user.email, siteName: config.site.name }
  const problem = await passwords.check(password, context)
  if (problem !== null) return { field: 'password', ...problem }
  if (!config.password.confirm || normalizePassword(field(request, 'confirm')) === password) {
    return null
  }
  return { field: 'confirm', reason: 'password-mismatch' }
}

/**
 * Spends, then writes. Whatever happens in between, no password is written without a spent proof, and a
 * proof that is given back can do no harm: if the password was written after all, the account has
 * changed, and with it every mark made before.
 */
async function write(
  { flow, live: { reset, user } }: Proof,
  hash: string,
  services: Services,
): Promise<Outcome> {
  const { clock, resets, users } = services
  const notices = services.config.mail.notifyChanged ? [notice(user, services)] : []
  if (!(await resets.spend(reset.id, clock.now(), notices))) {
    const now = await liveAccount(await resets.find(reset.id), services)
    return 'page' in now ? now : failure('link-used')
  }
  let isWritten = false
  try {
    isWritten = await users.setPassword(user, hash)
  } finally {
    if (!isWritten) await resets.release(reset.id, clock.now())
  }
  if (!isWritten) return failure('link-invalid')
  await resets.confirm(reset.id, clock.now())
  services.wake()
  services.log.info({ reset: reset.id }, 'password changed')
  // All that is left of the flow is its language.
  const end = newFlow(services, { email: '', locale: flow.locale })
  return { page: 'redirect', step: 'done', flow: end }
}

function notice(user: User, { clock, keys }: Services): Notice {
  const now = clock.now()
  return {
    id: randomId(),
    subjectKey: keys.mac('subject', foldAscii(user.email)),
    sealedAddress: keys.seal('recipient', user.email),
    dueAt: now + confirmationMs,
    expiresAt: now + noticeLifetimeMs,
  }
}
