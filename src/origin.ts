import { header, type ServerRequest } from './action.ts'
import { isLoopback } from './network.ts'

/**
 * Whether another site's page sent this form. Fetch Metadata decides where the browser sends it, since
 * under `no-referrer` Chromium names the origin of our own forms `null`; a client that sends neither
 * header is no browser, and holds no cookie that somebody else could ride on.
 *
 * @param siteUrl The origin the site's own pages have.
 */
export function isForeign(request: ServerRequest, siteUrl: string): boolean {
  const site = header(request, 'sec-fetch-site')
  if (site !== '') return site !== 'same-origin'
  const origin = header(request, 'origin')
  return origin !== '' && origin !== siteUrl
}

const proxyHeaders = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
]

/**
 * Whether a request comes from a person at this machine: not through a proxy, and not from a page of
 * another site whose name was made to lead here (DNS rebinding).
 *
 * @param siteUrl An address that leads here too; default: names of this machine alone do.
 */
export function isAtThisMachine(request: ServerRequest, siteUrl: string | null = null): boolean {
  const host = header(request, 'host')
  const isForwarded = proxyHeaders.some((name) => request.headers[name] !== undefined)
  const isKnown = isLoopback(host.replace(/:\d+$/, '')) || host === hostOf(siteUrl)
  const isHere = isKnown && isLoopback(request.raw?.ip ?? '')
  return isHere && !isForwarded && !isFromElsewhere(request, host)
}

/** A proxy that says nothing of itself may put this machine's name for its own, but leaves what the browser says. */
function isFromElsewhere(request: ServerRequest, host: string): boolean {
  const origin = header(request, 'origin')
  return request.method === 'POST' && !['', 'null', host].includes(hostOf(origin) ?? origin)
}

function hostOf(url: string | null): string | null {
  return url !== null && URL.canParse(url) ? new URL(url).host : null
}
