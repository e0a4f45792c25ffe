// A router the way an @itrocks application has one: a path names an action, an action is made without
// arguments, and the method that is named like the wanted format answers.
import { createServer, type IncomingMessage } from 'node:http'
import { Forgot, type Request } from 'fastify-forgot-password'

const routes: Record<string, new () => Forgot> = { '/user/forgot-password': Forgot }

createServer(async (incoming, outgoing) => {
  const url = new URL(incoming.url ?? '/', 'http://127.0.0.1')
  const action = routes[url.pathname]
  if (action === undefined) {
    outgoing.writeHead(404).end()
    return
  }
  const { body, headers, statusCode } = await new action().html(await toRequest(incoming, url))
  outgoing.writeHead(statusCode, headers).end(body)
}).listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1')

async function toRequest(incoming: IncomingMessage, url: URL): Promise<Request> {
  const chunks: Uint8Array[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  const form = new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
  return {
    format: 'html',
    request: {
      method: incoming.method ?? 'GET',
      path: url.pathname,
      headers: incoming.headers,
      parameters: {},
      data: Object.fromEntries(incoming.method === 'POST' ? form : url.searchParams),
      raw: { ip: incoming.socket.remoteAddress ?? '' },
    },
  }
}
