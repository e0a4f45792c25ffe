import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { type InstanceView, instancePath, makeProof, proofHeader } from '../instance.ts'
import { isLoopback } from '../network.ts'
import type { KeyRing } from '../proof/secret.ts'
import { examineClock } from './databases.ts'
import { type Finding, fault, good, warning } from './finding.ts'

interface Asker {
  readonly config: Config
  readonly clock: Clock
  readonly keys: KeyRing
}

// Reserved for documentation (RFC 5737): nobody's address.
const madeUp = '203.0.113.7'
const patienceMs = 5000

/** Whether `site.url` leads to this very instance, and whom it takes its visitors for. */
export async function examineSite(asker: Asker): Promise<Finding[]> {
  const { url } = asker.config.site
  let answer: Response
  try {
    answer = await ask(asker)
  } catch (error) {
    return [unreachable(asker.config, error as Error)]
  }
  const view = answer.ok ? await readView(answer) : null
  if (view === null) {
    const text = `site.url: ${url}${asker.config.route} is answered (${answer.status}), but not by a server with this configuration`
    const remedy = `start it, with the same secret, and have your proxy pass ${asker.config.route} and what is below it to ${asker.config.server.host}:${asker.config.server.port}`
    return [fault('site', text, remedy)]
  }
  return [
    good('site', `site.url: ${url} leads to a server with this configuration`),
    ...examineClock('the server', asker.clock.now() - view.now),
    ...examineClient(asker.config, view),
    ...(await examineWellKnown(asker.config)),
  ]
}

function ask({ config, clock, keys }: Asker): Promise<Response> {
  return fetch(`${config.site.url}${config.route}${instancePath}`, {
    headers: { [proofHeader]: makeProof(keys, clock), 'x-forwarded-for': madeUp },
    redirect: 'manual',
    signal: AbortSignal.timeout(patienceMs),
  })
}

async function readView(answer: Response): Promise<InstanceView | null> {
  try {
    const view = (await answer.json()) as Partial<InstanceView>
    return typeof view.now === 'number' && typeof view.client === 'string'
      ? (view as InstanceView)
      : null
  } catch {
    return null
  }
}

function unreachable({ site, server }: Config, error: Error): Finding {
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException
  const why = error.name === 'TimeoutError' ? 'no answer within 5 s' : (code ?? error.message)
  const text = `site.url: ${site.url} does not answer (${why})`
  // Nobody but the people at this machine is kept waiting.
  if (isLoopback(new URL(site.url).hostname)) {
    return warning('site', text, 'start the server with "forgot-password serve" and ask again')
  }
  const remedy = `check its DNS name, its certificate and the proxy in front, and that the server runs at ${server.host}:${server.port}`
  return fault('site', text, remedy)
}

/** Each visitor is to be counted by an address of their own, and not by one of their making. */
function examineClient({ site }: Config, { client, peer, forwardedFor }: InstanceView): Finding[] {
  if (client === madeUp) {
    const text = `server.trustProxy: whoever sends X-Forwarded-For is taken for whom it names, here ${madeUp}: no limit per client holds`
    const remedy =
      'name your proxies alone in server.trustProxy, and have the first of them replace the header'
    return [fault('proxy', text, remedy)]
  }
  // Neither is what was sent; and who ends TLS on this machine, for others than its people, is a proxy.
  const isHeaderTold = forwardedFor !== '' && forwardedFor !== madeUp
  const isLocalPeer = isLoopback(peer) && !isLoopback(new URL(site.url).hostname)
  if (client === peer && (isHeaderTold || isLocalPeer)) {
    const text = `server.trustProxy: a proxy at ${peer} stands in front, and all visitors count as that one client`
    const remedy = `set server.trustProxy: ${peer}; within a Fastify of your own, its option trustProxy`
    return [fault('proxy', text, remedy)]
  }
  return [
    good('proxy', 'server.trustProxy: visitors are told apart, and cannot choose their address'),
  ]
}

async function examineWellKnown({ site, routes, route }: Config): Promise<Finding[]> {
  const wellKnown = routes.find(({ action }) => action === 'well-known')
  if (wellKnown === undefined) return []
  const url = `${site.url}${wellKnown.path}`
  const signal = AbortSignal.timeout(patienceMs)
  const answer = await fetch(url, { redirect: 'manual', signal }).catch(() => null)
  if (answer?.headers.get('location')?.endsWith(route) === true) return []
  const text = `routes: ${url} does not lead to the form: password managers cannot offer it`
  return [warning('site', text, `have your proxy pass ${wellKnown.path} to this server`)]
}
