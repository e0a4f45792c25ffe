import { readFileSync } from 'node:fs'
import { HtmlResponse, type Response } from '../action.ts'
import { escapeHtml } from '../html.ts'
import type { Choice } from './choice.ts'
import type { ShownMail, ShownPage, Stage } from './stage.ts'
import { dataUrl, forceTheme } from './theme.ts'

// It loads nothing, sends nothing and leads nowhere; what it needs is in it.
const closed = "default-src 'none'; img-src data:; form-action 'none'; base-uri 'none'"
const policies = {
  page: `${closed}; style-src data: 'unsafe-inline'; font-src data:; script-src data:; frame-ancestors 'self'; sandbox allow-scripts`,
  mail: `${closed}; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox`,
} as const

// A page that takes the focus when it opens would take it from the selectors, and scroll to itself.
const unfocused = `{
  const { focus } = HTMLElement.prototype
  HTMLElement.prototype.focus = () => {}
  addEventListener('load', () => { HTMLElement.prototype.focus = focus })
}
`

/** The attribute `sandbox` of the frame that shows a page or a mail. */
export const sandboxes = { page: 'allow-scripts', mail: '' } as const

/** A page or mail alone, as its frame shows it. */
export function frameOf(shown: ShownPage | ShownMail, choice: Choice, stage: Stage): Response {
  const html = shown.kind === 'page' ? pageHtml(shown, choice, stage) : mailHtml(shown, choice)
  return respond(html, shown.kind)
}

/** What a frame shows instead of what cannot be shown. */
export function faultFrame(faults: readonly string[], status = 500): Response {
  const style = 'margin:1rem;font:14px/1.5 ui-monospace,monospace;white-space:pre-wrap'
  const text = escapeHtml(faults.join('\n'))
  const head =
    '<!doctype html><html lang="en"><title>Fault</title><meta name="color-scheme" content="light">'
  return respond(`${head}<body><pre style="${style}">${text}</pre>`, 'page', status)
}

function pageHtml({ html }: ShownPage, { theme }: Choice, { assets, templates }: Stage): string {
  const { style, script, logo } = assets
  const marks = readFileSync(templates.find('demo/marks.css'))
  const css = forceTheme(`${style.body}${marks}`, theme)
  const embedded = [
    [style.path, dataUrl({ type: style.type, body: Buffer.from(css) })],
    [
      script.path,
      dataUrl({ type: script.type, body: Buffer.concat([Buffer.from(unfocused), script.body]) }),
    ],
    ...(logo === null ? [] : [[logo.path, dataUrl(logo)]]),
  ]
  return embedded.reduce(
    (text, [path = '', url = '']) => text.replaceAll(path, url),
    inert(forceTheme(whole(html, assets), theme)),
  )
}

/** A fragment, which a page of the site's own would hold, in the least of pages. */
function whole(html: string, { style, script }: Stage['assets']): string {
  if (/<html[\s>]/i.test(html)) return html
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Preview</title>`
  const files = `<link rel="stylesheet" href="${style.path}"><script src="${script.path}" defer></script>`
  return `<!doctype html><html lang="en"><head>${head}${files}</head><body>${html}</body></html>`
}

function mailHtml({ message }: ShownMail, { part, theme }: Choice): string {
  const html =
    part === 'bare' ? message.html.replace(/<style[\s\S]*?<\/style>/gi, '') : message.html
  return inert(forceTheme(html, theme))
}

/** With links that lead out of the frame, which its sandbox does not let them. */
function inert(html: string): string {
  return html.replace('<head>', '<head><base target="_top">')
}

function respond(html: string, kind: keyof typeof policies, status = 200): Response {
  return new HtmlResponse(html, status, {
    'content-security-policy': policies[kind],
    'x-frame-options': 'SAMEORIGIN',
    // A sandboxed document is in a cluster of its own as it is: asked for, the browser complains.
    'origin-agent-cluster': '?0',
    'cache-control': 'no-store',
  })
}
