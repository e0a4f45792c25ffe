import { header, type ServerRequest } from './action.ts'

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
