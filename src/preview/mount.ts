import { readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { HtmlResponse, type Response, type ServerRequest } from '../action.ts'
import { toRequest } from '../incoming.ts'
import { freeRoute, mount, send } from '../mount.ts'
import { packagePath } from '../templates.ts'
import { previewPath } from './choice.ts'
import { Gallery } from './gallery.ts'
import { refusalOf } from './guard.ts'
import { Preview, type PreviewParts } from './preview.ts'

type Answer = (request: ServerRequest) => Promise<Response>

const files = {
  'preview.css': 'text/css; charset=utf-8',
  'preview.js': 'text/javascript; charset=utf-8',
}

/** Puts the preview into `app`, whose parsers must read forms; it ends with it. */
export function mountPreview(app: FastifyInstance, parts: PreviewParts): void {
  const preview = new Preview(parts)
  const gallery = new Gallery(preview)
  const refuse = (request: ServerRequest) => refusalOf(request, preview.siteUrl)
  const at = (path: string, answer: Answer) =>
    mount(app, `${previewPath}${path}`, {
      html: async ({ request }) => refuse(request) ?? answer(request),
    })
  at('', (request) => (request.method === 'POST' ? gallery.send(request) : gallery.page(request)))
  at('/frame', (request) => gallery.frame(request))
  for (const [name, type] of Object.entries(files)) at(`/${name}`, async () => fileOf(name, type))
  const streams = new Set<PassThrough>()
  const eventsRoute = { ...freeRoute, exposeHeadRoute: false }
  app.get(`${previewPath}/events`, eventsRoute, async (request, reply) => {
    const refusal = refuse(toRequest(request).request)
    if (refusal !== null) return send(reply, refusal)
    // A browser does not come back after a 204 (HTML, server-sent events).
    if (preview.isClosed) return reply.code(204).send()
    reply.type('text/event-stream').header('cache-control', 'no-store')
    return reply.send(streamOf(preview, streams))
  })
  // Before the server waits for what is under way: a stream would be for ever.
  app.addHook('preClose', async () => {
    preview.close()
    for (const stream of streams) stream.end()
  })
}

/** The versions from now on, the present one first, as server-sent events. */
function streamOf(preview: Preview, streams: Set<PassThrough>): PassThrough {
  const stream = new PassThrough()
  const tell = (version: string) => stream.write(`retry: 500\ndata: ${version}\n\n`)
  const end = preview.listen(tell)
  streams.add(stream)
  stream.once('close', () => {
    end()
    streams.delete(stream)
  })
  tell(preview.version)
  return stream
}

function fileOf(name: string, type: string): Response {
  const body = readFileSync(packagePath(`templates/demo/${name}`))
  return new HtmlResponse(body, 200, { 'content-type': type, 'cache-control': 'no-store' })
}
