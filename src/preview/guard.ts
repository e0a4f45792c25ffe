import { HtmlResponse, header, type Response, type ServerRequest } from '../action.ts'
import { isAtThisMachine, isForeign } from '../origin.ts'

const noStore = { 'cache-control': 'no-store' }

/**
 * Why a request of the preview is not answered; `null` when it is. It shows what only the owner knows and sends
 * mails, so it is for whoever sits at this machine and for no other site's page.
 *
 * @param siteUrl An address that leads here too; `null` when it is not known.
 */
export function refusalOf(request: ServerRequest, siteUrl: string | null): Response | null {
  if (!isAtThisMachine(request, siteUrl)) return new HtmlResponse('', 404, noStore)
  return isFromElsewhere(request) ? new HtmlResponse('Forbidden', 403, noStore) : null
}

/** A link on another site may lead here, and so may an address that is typed: nothing else from elsewhere may. */
function isFromElsewhere(request: ServerRequest): boolean {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const site = header(request, 'sec-fetch-site')
  const isOpened =
    site === 'none' ||
    (header(request, 'sec-fetch-mode') === 'navigate' &&
      header(request, 'sec-fetch-dest') === 'document')
  if (isRead && isOpened) return false
  const origin = header(request, 'origin')
  // Whichever of its names leads here: that it is one of its own was found out from the host.
  const isOwn = URL.canParse(origin) && new URL(origin).host === header(request, 'host')
  return isForeign(request, isOwn ? origin : '')
}
