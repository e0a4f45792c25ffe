// A router the way an @itrocks application has one: a path names an action, an action is made without
// arguments, and the method that is named like the wanted format answers.
import { createServer, type IncomingMessage } from 'node:http'
import { Forgot, type Request } from 'fastify-forgot-password'

const routes: Record<string, new () => Forgot> = { '/user/forgot-password': Forgot }

// As much as a form of this module can be.
const mostBytes = 16_384

createServer(async (incoming, outgoing) => {
  try {
    const url = new URL(incoming.url ?? '/', 'http://127.0.0.1')
    const action = routes[url.pathname]
    if (action === undefined) {
      outgoing.writeHead(404).end()
      return
    }
    const { body, headers, statusCode } = await new action().html(await toRequest(incoming, url))
    outgoing.writeHead(statusCode, headers).end(body)
  } catch {
    // An address that is none, a form that is cut off or too long.
    outgoing.writeHead(400).end()
  }
}).listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1')

async function toRequest(incoming: IncomingMessage, url: URL): Promise<Request> {
  const form = incoming.method === 'POST' ? await readForm(incoming) : url.searchParams
  return {
    format: 'html',
    request: {
      method: incoming.method ?? 'GET',
      path: url.pathname,
      headers: incoming.headers,
      parameters: {},
      data: Object.fromEntries(
        [...new Set(form.keys())].map((name) => [name, readField(form, name)]),
      ),
      raw: { ip: incoming.socket.remoteAddress ?? '' },
    },
  }
}

async function readForm(incoming: IncomingMessage): Promise<URLSearchParams> {
  let text = ''
  for await (const chunk of incoming.setEncoding('utf8')) {
    text += chunk
    if (text.length > mostBytes) throw new Error('The form is too long')
  }
  return new URLSearchParams(text)
}

/** A name that is sent twice stays a list, so that nobody guesses which of the two counts. */
function readField(form: URLSearchParams, name: string): unknown {
  const values = form.getAll(name)
  return values.length === 1 ? values[0] : values
}
