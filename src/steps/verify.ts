import { field, has } from '../action.ts'
import { foldAscii, parseAddress } from '../address.ts'
import { isCodeOf, readCode } from '../proof/code.ts'
import { linkToken } from '../proof/link.ts'
import { readReference, showReference } from '../proof/reference.ts'
import type { KeyRing } from '../proof/secret.ts'
import type { Services } from '../services.ts'
import type { Reset } from '../store/store.ts'
import { type Live, liveAccount, pendingRefusalOf, provenFlow, refusalOf } from './guard.ts'
import { failure, type Outcome, type Problem } from './outcome.ts'
import type { Visit } from './visit.ts'

// Guesses at many addresses from many places are few everywhere but on the site as a whole.
const everybody = 'site'

/** `GET B?step=code`: for the code that was asked for in another browser. */
export function showCode({ request, flow }: Visit, { config }: Services): Outcome {
  if (!config.recovery.methods.includes('code')) return { page: 'redirect', step: 'form' }
  const reference = readReference(field(request, 'reference')) ?? flow?.reference ?? ''
  return { page: 'code', reference: reference && showReference(reference), problems: [] }
}

/** `POST B code`: shows that the mailbox is the visitor's. It spends nothing: the new password will. */
export async function verifyCode(visit: Visit, services: Services): Promise<Outcome> {
  const live = await accountOfCode(visit, services)
  if ('page' in live) return live
  const { reset, user } = live
  const flow = provenFlow(live, visit.locale.tag, services)
  const token = linkToken(services.keys, reset.id, reset.tokenHash) ?? ''
  const facts = { email: user.email, name: user.name ?? '', token, changedAt: null }
  return { page: 'redirect', step: 'reset', flow, facts, about: reset }
}

/**
 * The account a code is for, or the page that tells why there is none. Every step up to the comparison is
 * the same for an address without an account, whose code nobody can know.
 */
export async function accountOfCode(visit: Visit, services: Services): Promise<Live | Outcome> {
  const { recovery } = services.config
  if (!recovery.methods.includes('code')) return failure('bad-request')
  const code = readCode(field(visit.request, 'code'))
  const isMalformed = code === null || !isCode(code, recovery.codeDigits)
  if (isMalformed && !isList(visit)) {
    const isMissing = code === '' && typeof visit.request.data['code'] !== 'number'
    const reason = isMissing ? 'code-missing' : 'code-malformed'
    const values = { digits: recovery.codeDigits }
    return shown(visit, { field: 'code', reason, values })
  }
  const reset = await findReset(visit, services)
  if ('reason' in reset)
    return (await refusalOf('bad-proof', visit, services)) ?? shown(visit, reset)
  return tryCode(isMalformed ? '' : code, reset, visit, services)
}

async function tryCode(
  code: string,
  { id }: Reset,
  visit: Visit,
  services: Services,
): Promise<Live | Outcome> {
  const { config, clock, keys, limiter, resets } = services
  // Before anything is compared: beyond its limit a client's right guess must count as little as its wrong ones.
  const refusal = await pendingRefusalOf('bad-proof', visit, services)
  if (refusal !== null) return refusal
  const pauseMs = await limiter.wait('wrong-code', everybody)
  if (pauseMs > 0) return failure('codes-off', { retryAfterMs: pauseMs })
  const { verdict, reset, lockedUntil } = await resets.tryCode({
    resetId: id,
    now: clock.now(),
    mostTries: config.recovery.codeTries,
    mostDailyTries: config.recovery.dailyTries,
    // Compared for everybody; only an account makes it right.
    isRight: (row) => isRightCode(code, row, keys) && row.userId !== null,
  })
  if (verdict === 'locked') return locked(visit, reset)
  if (lockedUntil !== null) return locked(visit, reset, lockedUntil - clock.now())
  if (reset === null || verdict === 'ended') {
    return shown(visit, { field: 'code', reason: 'code-expired' }, reset)
  }
  if (verdict === 'wrong') return wrong(reset, visit, services)
  // Only who has the code learns that what it is for is over.
  if (reset.state !== 'live') return shown(visit, { field: 'code', reason: 'code-expired' }, reset)
  return liveAccount(reset, services)
}

function isRightCode(code: string, { id, tokenHash, code: state }: Reset, keys: KeyRing): boolean {
  return state !== null && isCodeOf(keys, { id, tokenHash, generation: state.generation }, code)
}

async function wrong(reset: Reset, visit: Visit, services: Services): Promise<Outcome> {
  const refusal = await refusalOf('bad-proof', visit, services)
  if (refusal !== null) return refusal
  await services.limiter.take('wrong-code', everybody)
  const left = services.config.recovery.codeTries - (reset.code?.tries ?? 0)
  if (left <= 0) return locked(visit, reset)
  return shown(visit, { field: 'code', reason: 'code-wrong', values: { left } }, reset)
}

/** The reset a code is tried for: by its reference, else the flow's, else the newest of an address. */
async function findReset(
  { request, flow }: Visit,
  { keys, resets }: Services,
): Promise<Reset | Problem> {
  const typed = field(request, 'reference')
  const email = parseAddress(field(request, 'email'))
  if (typed.trim() !== '') {
    const reference = readReference(typed)
    const reset = reference === null ? null : await resets.findByReference(reference)
    const isOthers =
      email !== null &&
      reset !== null &&
      !keys.verifies('subject', foldAscii(email), reset.subjectKey)
    return reset === null || isOthers ? { field: 'reference', reason: 'reference-unknown' } : reset
  }
  if (flow !== null && flow.resetId !== null) {
    // By its reference: should its row have been replaced for the account's sake, that is what is the same.
    const reset = await resets.findByReference(flow.reference)
    return reset ?? { field: 'code', reason: 'code-expired' }
  }
  if (email === null) return { field: 'reference', reason: 'reference-missing' }
  const reset = await resets.findBySubject(keys.macs('subject', foldAscii(email)))
  return reset ?? { field: 'code', reason: 'code-expired' }
}

/** The page the code was typed on, with what is to be mended there. */
function shown({ request, flow }: Visit, problem: Problem, reset: Reset | null = null): Outcome {
  const about = reset === null ? {} : { about: reset }
  const reference = field(request, 'reference')
  if (flow !== null && flow.resetId !== null && !has(request, 'reference')) {
    return { page: 'sent', flow, problems: [problem], ...about }
  }
  return { page: 'code', reference, problems: [problem], ...about }
}

function locked({ flow }: Visit, reset: Reset | null, retryAfterMs?: number): Outcome {
  const canResend = flow !== null && flow.email !== '' && retryAfterMs === undefined
  return failure('code-locked', {
    ...(reset === null ? {} : { about: reset }),
    ...(canResend ? { flow } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

function isCode(text: string, digits: number): boolean {
  return text.length === digits && /^\d+$/.test(text)
}

/** Several codes at once are one try, so that nobody gets more for trying them: and none of them counts. */
function isList({ request }: Visit): boolean {
  const value = has(request, 'code') ? request.data['code'] : ''
  return Array.isArray(value) || /\d{6}\D+\d{6}/.test(String(value))
}
